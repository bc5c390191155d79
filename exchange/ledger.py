"""Balances of all accounts: hold, unlock, post. Double entry: each currency sums to zero."""

from collections import defaultdict
from collections.abc import Iterable

from exchange.messages import BalanceState, Posting, Unlock
from exchange.orders import build
from exchange.settlement import OUTSIDE

Key = tuple[int, str]
"""Account id and currency."""


class Balance:
    """What one account owns of one currency, in atoms."""

    __slots__ = ("locked", "resting", "total")

    def __init__(self, total: int = 0, locked: int = 0) -> None:
        """Start with what was committed: `locked` by open orders."""
        self.total = total
        self.locked = locked
        """Held for commands on their way and for open orders: cannot be spent again."""
        self.resting = locked
        """Locked by open orders as committed: what clients are shown as locked."""

    @property
    def available(self) -> int:
        """What can be spent now."""
        return self.total - self.locked

    def state(self, key: Key) -> BalanceState:
        """Return the balance as committed, which is that of `key`."""
        account_id, currency = key
        resting = self.resting
        return build(BalanceState, (account_id, currency, self.total - resting, resting))


class Ledger:
    """Every balance, the house's and the outside world's included."""

    def __init__(self) -> None:
        """Start empty."""
        self.balances: dict[tuple[int, str], Balance] = {}

    def balance(self, account_id: int, currency: str) -> Balance:
        """Return an account's balance, zero if there was none."""
        key = (account_id, currency)
        balance = self.balances.get(key)
        if balance is None:
            balance = self.balances[key] = Balance()
        return balance

    def available(self, account_id: int, currency: str) -> int:
        """Return what an account can spend, in atoms."""
        balance = self.balances.get((account_id, currency))
        return 0 if balance is None else balance.available

    def hold(self, account_id: int, currency: str, amount: int) -> bool:
        """Lock funds for a command; false, and nothing changed, if there are not enough."""
        assert amount >= 0, f"a hold of {amount}"
        if self.available(account_id, currency) < amount:
            return False
        if amount:
            self.balance(account_id, currency).locked += amount
        return True

    def unlock(self, unlocks: Iterable[Unlock]) -> None:
        """Take back holds: what trades spent and what orders no longer need."""
        for account_id, currency, amount in unlocks:
            balance = self.balances[account_id, currency]
            balance.locked -= amount
            assert balance.locked >= 0, f"account {account_id} unlocked more {currency} than held"

    def post(self, postings: Iterable[Posting]) -> dict[Key, Balance]:
        """Apply committed postings; return the balances that they changed."""
        changed: dict[Key, Balance] = {}
        for account_id, currency, amount, _, _ in postings:
            key = (account_id, currency)
            balance = changed.get(key)
            if balance is None:
                balance = changed[key] = self.balance(account_id, currency)
            balance.total += amount
        return changed

    def state(self, account_id: int, currency: str) -> BalanceState:
        """Return a balance as committed."""
        return self.balance(account_id, currency).state((account_id, currency))

    def check(self) -> None:
        """Assert that money is conserved and that nobody owes any."""
        sums: defaultdict[str, int] = defaultdict(int)
        for (account_id, currency), balance in self.balances.items():
            sums[currency] += balance.total
            if account_id == OUTSIDE:
                continue
            name = f"{currency} of account {account_id}"
            assert balance.total >= 0, f"{name} is {balance.total}"
            assert 0 <= balance.locked <= balance.total, f"{name} locks {balance.locked}"
            assert 0 <= balance.resting <= balance.total, f"{name} rests {balance.resting}"
        for currency, total in sums.items():
            assert total == 0, f"all {currency} sum to {total}"


def check_postings(postings: Iterable[Posting]) -> None:
    """Assert that postings sum to zero in each currency."""
    sums: defaultdict[str, int] = defaultdict(int)
    for posting in postings:
        sums[posting.currency] += posting.amount
    assert not any(sums.values()), f"postings do not sum to zero: {dict(sums)}"
