"""The trading page: sign in, trade, see it; every refusal where it belongs."""

from playwright.sync_api import BrowserContext, Page, expect

from tests.pages.desk import Desk
from tests.web.rest import World


def test_a_token_signs_in_and_no_script_can_read_it(
    page: Page, context: BrowserContext, world: World
) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)

    (cookie,) = context.cookies()
    assert cookie["name"] == "exchange_token"
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert page.evaluate("document.cookie + JSON.stringify(localStorage)") == "{}"


def test_who_reloads_is_still_signed_in_until_they_sign_out(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    page.reload()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("button", name="Sign in to trade")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in to trade")).to_be_visible()


def test_a_wrong_token_is_refused_in_the_dialog(page: Page, world: World) -> None:
    Desk(page, world.url, world.market)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Token").fill("exchange_wrong")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("The token is unknown or was revoked.")


def test_an_order_is_placed_shown_and_filled(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "10.00", "2")
    expect(desk.part("open").locator("tbody tr")).to_have_count(1)
    expect(desk.part("bids").locator("button").first).to_contain_text("10.00")
    world.sell(world.bob, "0.5", "10")

    row = desk.part("open").locator("tbody tr")
    expect(row).to_contain_text("0.5000")
    expect(desk.part("tape").locator("tr")).to_have_count(1)
    expect(page).to_have_title(f"10.00 {world.market.replace('_', '/')} | Exchange")
    desk.tab("Fills")
    expect(desk.part("fills")).to_contain_text("maker")
    desk.tab("Balances")
    expect(desk.part("balances").locator(f"[data-currency={world.quote}]")).to_contain_text("15.0")


def test_a_click_on_an_ask_buys_it(page: Page, world: World) -> None:
    world.sell(world.bob, "0.5", "10")
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.part("asks").locator("button:not([disabled])").click()
    expect(page.locator("input[name=price]")).to_have_value("10.00")
    expect(desk.part("cost")).to_have_text(f"5.000000 {world.quote}")
    expect(desk.part("fee")).to_have_text(f"0.00100000 {world.base}")
    page.locator("button.place").click()

    expect(desk.part("said")).to_contain_text("filled")
    desk.tab("Order history")
    expect(desk.part("history").locator("tbody tr")).to_have_count(1)


def test_an_order_is_amended_and_canceled(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "10.00", "2")
    page.get_by_role("button", name="Amend order").click()
    page.locator("input[name=amend_price]").fill("9.50")
    page.get_by_role("button", name="Amend", exact=True).click()
    expect(desk.part("bids").locator("button").first).to_contain_text("9.50")
    page.get_by_role("button", name="Cancel order").click()

    expect(desk.part("open").locator("tbody tr")).to_have_count(0)
    desk.tab("Order history")
    expect(desk.part("history")).to_contain_text("canceled (client)")


def test_a_refusal_stands_at_the_field_that_it_names(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "10.001", "2")

    expect(page.locator("#problem-price")).to_contain_text("10.001")
    expect(page.locator("input[name=price]")).to_be_focused()
    expect(page.locator("input[name=price]")).to_have_attribute("aria-invalid", "true")
    expect(desk.part("open").locator("tbody tr")).to_have_count(0)


def test_a_market_order_spends_a_share_of_the_balance(page: Page, world: World) -> None:
    world.sell(world.bob, "1", "10")
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    page.locator("select[name=kind]").select_option("market")
    page.locator("input[name=quote_quantity]").fill("5")
    page.locator("button.place").click()

    expect(desk.part("said")).to_contain_text("filled 0.5000")


def test_the_slider_asks_for_a_share_of_the_balance(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    available = world.alice.balance(world.base)[0]
    page.get_by_role("button", name="Sell", exact=True).click()
    slider = page.locator("input[name=share]")
    expect(slider).to_be_enabled()
    slider.fill("100")

    value = page.locator("input[name=quantity]").input_value()
    assert available.startswith(value)
    assert float(value) == float(available)


def test_a_halted_market_says_so(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "cancel_only"}).ok()

    expect(desk.part("state")).to_contain_text("Halted")
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "active"}).ok()
    expect(desk.part("state")).to_have_count(0)


def test_prices_are_grouped(page: Page, world: World) -> None:
    for price in ("9.98", "9.97", "9.91"):
        world.buy(world.alice, "1", price)
    desk = Desk(page, world.url, world.market)
    expect(desk.part("bids").locator("button:not([disabled])")).to_have_count(3)
    page.get_by_label("Group").select_option("10")

    expect(desk.part("bids").locator("button:not([disabled])")).to_have_count(1)
    assert desk.levels("bids") == ["9.90"]


def test_the_list_of_markets_is_searched(page: Page, world: World) -> None:
    Desk(page, world.url, world.market)
    page.get_by_label("Search markets").fill(world.market.lower())
    expect(page.locator("button.market")).to_have_count(1)
    page.get_by_label("Search markets").fill("nothing like it")

    expect(page.locator("button.market")).to_have_count(0)
