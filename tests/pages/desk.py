"""What people do on the trading page, by the names that they see."""

from playwright.sync_api import Locator, Page, expect

from tests.web.rest import Client


class Desk:
    """The trading page of one market."""

    def __init__(self, page: Page, url: str, market: str) -> None:
        self.page = page
        page.goto(f"{url}/#{market}")
        expect(page.get_by_role("heading", level=1)).to_have_text(market.replace("_", "/"))

    def sign_in(self, client: Client) -> None:
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.get_by_label("Token").fill(client.token or "")
        self.page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def place(self, side: str, price: str, quantity: str, kind: str = "limit") -> None:
        self.page.get_by_role("button", name=side, exact=True).click()
        self.page.locator("select[name=kind]").select_option(kind)
        if kind != "market":
            self.page.locator("input[name=price]").fill(price)
        self.page.locator("input[name=quantity], input[name=quote_quantity]").fill(quantity)
        self.page.locator("button.place").click()

    def tab(self, name: str) -> None:
        group = self.page.get_by_role("group", name="What to show")
        group.get_by_role("button", name=name).click()

    def levels(self, side: str) -> list[str]:
        """Return the prices of a side that are shown, from the top of the page down."""
        rows = self.page.locator(f"[data-test={side}] button:not([disabled]) span:first-child")
        return rows.all_inner_texts()

    def part(self, name: str) -> Locator:
        return self.page.locator(f"[data-test={name}]")
