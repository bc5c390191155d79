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


def test_an_amendment_is_refused_beside_its_field_and_given_up_by_escape(
    page: Page, world: World
) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "10.00", "2")
    amend = page.get_by_role("button", name="Amend order")
    amend.focus()
    page.keyboard.press("Enter")
    price = page.locator("input[name=amend_price]")
    expect(price).to_be_focused()
    page.keyboard.type("10.001")
    page.keyboard.press("Enter")
    expect(price).to_have_attribute("aria-invalid", "true")
    expect(price).to_have_accessible_description(
        "price 10.001 is not a multiple of the tick size 0.01."
    )
    page.keyboard.press("Escape")

    expect(price).to_have_count(0)
    expect(amend).to_be_focused()
    expect(desk.part("open")).to_contain_text("10.00")


def test_a_refusal_stands_at_the_field_that_it_names(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "10.001", "2")

    expect(page.locator("#problem-price")).to_contain_text("10.001")
    expect(page.locator("input[name=price]")).to_be_focused()
    expect(page.locator("input[name=price]")).to_have_attribute("aria-invalid", "true")
    expect(desk.part("open").locator("tbody tr")).to_have_count(0)


def test_what_cannot_be_paid_is_refused_at_the_quantity(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Sell", "10.00", "100.0001")
    expect(page.locator("input[name=quantity]")).to_have_attribute("aria-invalid", "true")
    desk.place("Sell", "10.00", "99.9999")
    desk.place("Sell", "10.00", "1")

    expect(page.locator("#problem-quantity")).to_contain_text("0.0001")


def test_every_kind_of_order_is_placed(page: Page, world: World) -> None:
    world.sell(world.bob, "1", "10")
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Buy", "10.00", "2", kind="post_only")
    expect(page.locator("#problem-price")).to_contain_text("would trade at once")
    desk.place("Buy", "9.00", "2", kind="post_only")
    expect(desk.part("said")).to_contain_text("open")
    desk.place("Buy", "10.00", "2", kind="fok")
    expect(desk.part("said")).to_contain_text("expired (fok), filled 0.0000")
    desk.place("Buy", "10.00", "2", kind="ioc")
    expect(desk.part("said")).to_contain_text("expired (ioc), filled 1.0000")
    desk.place("Sell", "", "0.5", kind="market")
    expect(desk.part("said")).to_contain_text("filled 0.0000")
    desk.place("Buy", "8.00", "1")

    expect(desk.part("said")).to_contain_text("open")
    expect(desk.part("open").locator("tbody tr")).to_have_count(2)


def test_a_double_click_is_one_order(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    page.locator("input[name=price]").fill("10.00")
    page.locator("input[name=quantity]").fill("1")
    page.locator("button.place").dblclick()

    expect(desk.part("said")).to_contain_text("open")
    assert len(world.alice.get("/orders", status="all").items()) == 1


def test_a_fee_is_shown_as_it_will_be_taken(page: Page, world: World) -> None:
    world.buy(world.bob, "1", "10.01")
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    desk.place("Sell", "10.01", "0.1001")
    expect(desk.part("said")).to_contain_text("filled")
    shown = desk.part("fee").inner_text()

    (fill,) = world.alice.get("/fills").items()
    assert shown == f"{fill['fee']} {fill['fee_currency']}"


def test_it_can_all_be_done_without_a_mouse(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    keyboard = page.keyboard
    sign_in = page.get_by_role("button", name="Sign in", exact=True)
    sign_in.focus()
    keyboard.press("Enter")
    expect(page.get_by_label("Token")).to_be_focused()
    keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(sign_in).to_be_focused()
    keyboard.press("Enter")
    expect(page.get_by_label("Token")).to_be_focused()
    keyboard.type(world.alice.token or "")
    keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    page.get_by_label("Kind of order").focus()
    for text in ("10.00", "2"):
        keyboard.press("Tab")
        keyboard.type(text)
    keyboard.press("Enter")
    expect(desk.part("open").locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Cancel order").focus()
    keyboard.press("Space")
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


def test_a_share_of_money_without_a_price_is_of_the_last_price(page: Page, world: World) -> None:
    world.sell(world.bob, "1", "10")
    world.buy(world.alice, "1", "10")
    desk = Desk(page, world.url, world.market)
    desk.sign_in(world.alice)
    slider = page.locator("input[name=share]")
    expect(slider).to_be_enabled()
    slider.fill("50")
    expect(page.locator("input[name=price]")).to_have_value("10.00")
    expect(page.locator("input[name=quantity]")).to_have_value("4999.5000")
    page.locator("input[name=quantity]").fill("1")

    expect(slider).to_have_value("0")


def test_a_halted_market_says_so(page: Page, world: World) -> None:
    desk = Desk(page, world.url, world.market)
    world.admin.patch(f"/admin/markets/{world.market}", {"state": "cancel_only"}).ok()

    expect(desk.part("state")).to_contain_text("Halted")
    desk.sign_in(world.alice)
    desk.place("Buy", "10.00", "2")
    expect(desk.part("form-problem")).to_contain_text("cancel_only")
    expect(desk.part("open").locator("tbody tr")).to_have_count(0)
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
    world.admin.patch(f"/admin/currencies/{world.base}", {"name": f"Gold of {world.number}"}).ok()
    Desk(page, world.url, world.market)
    page.get_by_label("Search markets").fill(world.market.lower())
    expect(page.locator("button.market")).to_have_count(1)
    page.get_by_label("Search markets").fill(f"gold of {world.number}")
    expect(page.locator("button.market")).to_have_count(1)
    page.get_by_label("Search markets").fill("nothing like it")

    expect(page.locator("button.market")).to_have_count(0)
