"""The administration's page: an operator launches a market on it and looks after it."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.pages.desk import Desk
from tests.pages.test_looks import AXE
from tests.web.rest import Client, World


class Office:
    """The page, by the names that people see."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(f"{url}/admin")

    def sign_in(self, client: Client) -> None:
        self.page.get_by_label("Token").fill(client.token or "")
        self.page.get_by_role("button", name="Sign in").click()

    def part(self, name: str) -> None:
        self.page.get_by_role("navigation", name="Parts").get_by_role("link", name=name).click()

    def panel(self, name: str) -> Locator:
        return self.page.get_by_role("region", name=name, exact=True)

    def fill(self, panel: str, **values: str) -> Locator:
        """Fill a form in and send it."""
        found = self.panel(panel)
        for name, value in values.items():
            field = found.locator(f"[name={name}]")
            if field.evaluate("element => element.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        found.locator("button[type=submit]").click()
        return found


@pytest.fixture
def office(page: Page, world: World) -> Office:
    office = Office(page, world.url)
    office.sign_in(world.admin)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return office


def test_an_operator_launches_a_market_and_trades_on_it(office: Office, world: World) -> None:
    base, quote = f"N{world.number}", world.quote
    office.part("Currencies")
    form = office.fill("Make a currency", symbol=base, name="New", scale="8")
    expect(form.get_by_role("status")).to_have_text(f"{base} is there.")
    expect(office.panel("Currencies").locator(f"tr[data-key={base}]")).to_be_visible()

    office.part("Markets")
    rules = {"tick_size": "0.01", "lot_size": "0.0001", "taker_fee": "0.002"}
    form = office.fill("Open a market", base=base, quote=quote, **rules)
    market = f"{base}_{quote}"
    expect(form.get_by_role("status")).to_have_text(f"{market} is active.")

    office.part("Accounts")
    office.fill("Open an account", name=f"trader {base}")
    row = office.panel("Accounts").locator("tr", has_text=f"trader {base}")
    number = row.get_attribute("data-key") or ""
    for currency in (base, quote):
        money = {"currency": currency, "amount": "1000", "reference": f"first {currency}"}
        panel = office.fill(f"Money of account {number}", way="deposits", **money)
        expect(panel.get_by_role("status")).to_contain_text(f"first {currency}.")
    office.panel("Issue a token").get_by_role("button", name="Issue a token").click()
    token = office.page.locator("[data-part=token]").inner_text()

    order = {"market": market, "type": "limit", "price": "2.00", "quantity": "3.0000"}
    world.alice.post("/orders", {**order, "side": "buy"}).ok(201)
    desk = Desk(browser_of(office).new_page(), world.url, market)
    desk.sign_in(world.client(token))
    desk.part("bids").locator("button:not([disabled])").click()
    expect(desk.page.locator("input[name=price]")).to_have_value("2.00")
    desk.page.locator("button.place").click()
    expect(desk.part("said")).to_contain_text("filled 3.0000")
    expect(desk.part("last")).to_have_text("2.00")

    office.part("Trades")
    office.page.get_by_label("Market").select_option(market)
    trades = office.panel(f"Trades of {market}").locator("tbody tr")
    expect(trades).to_have_count(1)
    expect(trades).to_contain_text("2.00")


def browser_of(office: Office) -> BrowserContext:
    """Return another browser than the operator's: a cookie of its own."""
    browser = office.page.context.browser
    assert browser is not None
    return browser.new_context()


def test_rules_are_changed_and_the_refused_ones_are_not(office: Office, world: World) -> None:
    office.part("Markets")
    row = office.panel("Markets").locator(f"tr[data-key={world.market}]")
    row.get_by_role("button", name="Rules and trades").click()
    name = f"Rules of {world.market}"
    form = office.fill(name, taker_fee="0.003", price_band="0.2")
    expect(form.get_by_role("status")).to_have_text(f"{world.market} has its new rules.")
    expect(row).to_contain_text("0.003")
    rules = world.public.get(f"/markets/{world.market}").ok()
    assert (float(rules["taker_fee"]), float(rules["price_band"])) == (0.003, 0.2)
    assert float(rules["maker_fee"]) == 0.001

    form = office.fill(name, taker_fee="2")
    expect(form.locator("[name=taker_fee]")).to_have_attribute("aria-invalid", "true")
    form = office.fill(name, taker_fee="0.003", price_band="none")
    expect(form.get_by_role("status")).to_have_text(f"{world.market} has its new rules.")
    assert world.public.get(f"/markets/{world.market}").ok()["price_band"] is None


def test_money_is_paid_out_once_and_not_more_than_there_is(office: Office, world: World) -> None:
    office.part("Accounts")
    row = office.panel("Accounts").locator(f"tr[data-key='{world.alice.id}']")
    row.get_by_role("button", name="Money and tokens").click()
    name = f"Money of account {world.alice.id}"
    money = {"way": "withdrawals", "currency": world.base, "reference": "wire 1"}
    panel = office.fill(name, **money, amount="100.5")
    expect(panel.locator("[name=amount]")).to_have_attribute("aria-invalid", "true")
    for _ in range(2):
        panel = office.fill(name, **money, amount="40")
        expect(panel.get_by_role("status")).to_contain_text("under wire 1.")

    assert float(world.alice.balance(world.base)[2]) == 60


def test_a_token_is_revoked(office: Office, world: World) -> None:
    office.part("Accounts")
    row = office.panel("Accounts").locator(f"tr[data-key='{world.alice.id}']")
    row.get_by_role("button", name="Money and tokens").click()
    tokens = office.panel(f"Tokens of account {world.alice.id}")
    revoke = tokens.get_by_role("button", name="Revoke")
    revoke.click()
    dialog = office.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Leave it").click()
    expect(revoke).to_be_focused()
    revoke.click()
    dialog.get_by_role("button", name="Revoke it").click()

    expect(tokens).to_contain_text("revoked")
    assert world.alice.get("/balances").status == 401


def test_a_currency_is_renamed(office: Office, world: World) -> None:
    office.part("Currencies")
    office.fill("Rename a currency", symbol=world.base, name="Gold")

    expect(office.panel("Currencies").locator(f"tr[data-key={world.base}]")).to_contain_text("Gold")


def test_a_state_is_changed_once_it_is_confirmed(office: Office, world: World) -> None:
    office.part("Markets")
    state = office.page.get_by_label(f"State of {world.market}")
    state.select_option("cancel_only")
    dialog = office.page.get_by_role("dialog")
    expect(dialog).to_contain_text("a halt")
    dialog.get_by_role("button", name="Leave it").click()
    assert world.public.get(f"/markets/{world.market}").ok()["state"] == "active"

    state.select_option("cancel_only")
    dialog.get_by_role("button", name=f"Make {world.market} cancel_only").click()
    expect(dialog).to_have_count(0)
    assert world.public.get(f"/markets/{world.market}").ok()["state"] == "cancel_only"

    state.select_option("active")
    dialog.get_by_role("button", name=f"Make {world.market} active").click()
    expect(dialog).to_have_count(0)
    assert world.public.get(f"/markets/{world.market}").ok()["state"] == "active"


def test_a_delisting_wants_the_symbol_typed(office: Office, world: World) -> None:
    office.part("Markets")
    office.page.get_by_label(f"State of {world.market}").select_option("delisted")
    dialog = office.page.get_by_role("dialog")
    button = dialog.get_by_role("button", name=f"Make {world.market} delisted")
    expect(button).to_be_disabled()
    dialog.locator("[name=confirm]").fill(world.market)
    button.click()

    expect(dialog).to_have_count(0)
    assert world.public.get(f"/markets/{world.market}").ok()["state"] == "delisted"


def test_an_account_is_frozen_and_the_log_says_who_did_it(office: Office, world: World) -> None:
    office.part("Accounts")
    row = office.panel("Accounts").locator(f"tr[data-key='{world.alice.id}']")
    row.get_by_role("button", name="Freeze").click()
    office.page.get_by_role("dialog").get_by_role("button", name="Freeze it").click()

    expect(row).to_contain_text("frozen")
    assert world.admin.get(f"/admin/accounts/{world.alice.id}").ok()["frozen"]
    office.part("Audit log")
    line = office.panel("Audit log").locator("tbody tr").first
    expect(line).to_contain_text(f"account {world.alice.id}")
    expect(line.locator("td").last).to_contain_text('"frozen":true')


def test_a_refusal_stands_at_its_field(office: Office, world: World) -> None:
    office.part("Markets")
    rules = {"tick_size": "0.01", "lot_size": "x"}
    form = office.fill("Open a market", base=world.base, quote=world.quote, **rules)

    expect(form.locator("[name=lot_size]")).to_have_attribute("aria-invalid", "true")
    expect(form.locator("#open-a-market-lot_size-problem")).to_contain_text("lot_size")


def test_orders_of_one_market_are_canceled_for_others(office: Office, world: World) -> None:
    placed = world.buy(world.alice, "1", "10")
    office.part("Orders")
    office.panel("Orders").locator("[name=market]").fill(world.market)
    office.panel("Orders").locator("[name=market]").press("Enter")
    expect(office.panel("Orders").locator("tbody tr")).to_have_count(1)
    office.page.get_by_role("button", name=f"Cancel open orders in {world.market}").click()
    office.page.get_by_role("dialog").get_by_role("button", name="Cancel them").click()

    expect(office.panel("Orders").locator("tbody tr")).to_have_count(0)
    assert world.alice.get(f"/orders/{placed['id']}").ok()["reason"] == "admin"


def test_a_list_that_arrives_late_leaves_what_is_typed(office: Office, world: World) -> None:
    world.buy(world.alice, "1", "10")
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    office.page.route("**/admin/orders?*", hold)
    with office.page.expect_request("**/admin/orders?*"):
        office.part("Orders")
    market = office.panel("Orders").locator("[name=market]")
    market.fill(world.market)
    held[0].continue_()

    expect(office.panel("Orders").locator("tbody tr").first).to_be_visible()
    expect(market).to_have_value(world.market)


def test_the_proof_and_the_health_are_said_in_words(office: Office) -> None:
    office.part("Proof")
    verdict = office.page.locator("[data-part=verdict]")
    expect(verdict).to_have_text("Every sum is zero: no money appeared or vanished.")
    office.part("Health")
    health = office.page.locator("[data-part=health]")
    expect(health).to_contain_text("PostgreSQLup")
    expect(health.locator(".tile", has_text="Orders a second")).not_to_contain_text("-")


def test_who_is_no_admin_is_told_so(page: Page, world: World) -> None:
    office = Office(page, world.url)
    office.sign_in(world.alice)

    expect(page.get_by_role("alert").filter(has_text="admin")).to_contain_text("scope admin")
    expect(page.get_by_role("navigation")).to_have_count(0)


PARTS = ["Health", "Currencies", "Markets", "Accounts", "Orders", "Trades", "Audit log", "Proof"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nobody_is_shut_out(office: Office, theme: str) -> None:
    page = office.page
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.evaluate(AXE.read_text())
    for part in PARTS:
        office.part(part)
        expect(page.locator("main .panel, main .tile").first).to_be_visible()
        found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert not serious, (part, [(v["id"], v["nodes"][0]["html"]) for v in serious])


def test_a_phone_shows_all_of_it_without_scrolling_sideways(office: Office) -> None:
    office.page.set_viewport_size({"width": 390, "height": 844})
    for part in PARTS:
        office.part(part)
        expect(office.page.locator("main .panel, main .tile").first).to_be_visible()
        width = office.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, part
