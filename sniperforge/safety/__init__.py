"""Token safety: may this mint be bought, and must what was bought be sold now?

`Gate` stands in front of every buy of an unlisted mint, `Guards` behind it. docs/token-safety.md is their manual.
"""

from sniperforge.safety.gate import Gate
from sniperforge.safety.guards import Exit, Guards
from sniperforge.safety.verdict import Check, Verdict

__all__ = ["Check", "Exit", "Gate", "Guards", "Verdict"]
