"""The API key of Weights & Biases on this machine, and the W&B mode that follows from it."""

import os
from netrc import NetrcParseError, netrc
from urllib.parse import urlsplit

from galaxytune.plan import WandbMode


def wandb_host() -> str:
    """Return the URL of the W&B server: WANDB_BASE_URL, by default https://api.wandb.ai.

    A variable that is set to the empty text gives "".
    """
    return os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")


def has_wandb_key() -> bool:
    """Return whether WANDB_API_KEY is set, or `~/.netrc` has an entry for the W&B server.

    The key itself is not checked. A netrc file that cannot be read counts as no key.
    """
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc().authenticators(urlsplit(wandb_host()).hostname or "") is not None
    except (OSError, NetrcParseError):
        return False


def default_wandb_mode() -> WandbMode:
    """Return the mode in WANDB_MODE; else `online` if there is an API key, else `offline`.

    A value of WANDB_MODE other than `offline`, `online` and `disabled` is ignored.
    """
    asked = os.environ.get("WANDB_MODE")
    if asked in ("offline", "online", "disabled"):
        return asked  # type: ignore[return-value]
    return "online" if has_wandb_key() else "offline"
