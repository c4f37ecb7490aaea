"""A recorded run once more through the same bots: do they want the same, and what came of it?"""

from sniperforge.replay.recording import Recording, ReplayError
from sniperforge.replay.runner import BotResult, Difference, Result, Source, replay
from sniperforge.replay.summary import Summary, summarize

__all__ = ["BotResult", "Difference", "Recording", "ReplayError", "Result", "Source", "Summary", "replay", "summarize"]
