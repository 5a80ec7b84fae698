"""Settings of authentication and of rate limits; part of ``api.settings.Settings``, so ``SUFFICIENCY_AUTH__API_KEYS=true``."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.auth.principal import Role

Algorithm = Literal["RS256", "ES256", "EdDSA", "Ed25519"]

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    name = host.strip("[]").lower()
    if name in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def confidential(url: str) -> str:
    """Keys and tokens travel over https only; plain http is for a provider on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname is not None and is_loopback(parts.hostname)):
        return url
    raise ValueError("give an https address (http only on this machine)")


def _rate(text: str) -> str:
    """A rate as the limits package writes it."""
    try:
        parse_many(text)
    except ValueError as error:
        raise ValueError("give a rate such as 600/minute") from error
    return text


ProviderUrl = Annotated[str, AfterValidator(confidential)]
Rate = Annotated[str, AfterValidator(_rate)]


class TokenSettings(BaseModel):
    """How OpenID Connect bearer tokens are checked and read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: ProviderUrl = Field(description="The provider's issuer, exactly as tokens name it in iss")
    audience: str = Field(min_length=1, description="The name of this service that tokens must carry in aud")
    jwks_url: ProviderUrl | None = Field(default=None, description="Where the provider's keys are; unset: asked of the issuer (discovery)")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "EdDSA", "Ed25519"), min_length=1, description="Algorithms of signatures that count"
    )
    leeway_s: int = Field(default=30, ge=0, le=300, description="How far two clocks may differ, seconds")
    keys_fresh_s: float = Field(default=600, gt=0, description="Keys older than this are fetched again, seconds")
    keys_floor_s: float = Field(default=30, gt=0, description="Least time between two fetches, whatever tokens ask for, seconds")
    keys_stale_s: float = Field(
        default=3600, gt=0, description="While the provider can't be reached, known keys count for so long, seconds"
    )
    roles_claim: str = Field(default="roles", description="Claim that holds the roles; dots lead into nested claims (realm_access.roles)")
    roles: dict[str, Role] = Field(
        default={"viewer": "viewer", "planner": "planner", "approver": "approver", "administrator": "administrator"},
        description="What the provider calls a role -> role here",
    )
    councils_claim: str = Field(default="councils", description="Claim that holds ONS codes; * stands for all")
    partnerships_claim: str = Field(default="partnerships", description="Claim that holds names of partnerships; * stands for all")


class AuthSettings(BaseModel):
    """How callers prove who they are, and how often they may ask. With neither tokens nor keys the service answers on this machine only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: TokenSettings | None = Field(default=None, description="OpenID Connect bearer tokens")
    api_keys: bool = Field(default=False, description="Accept API keys; the first is made with `python -m api keys create`")
    secret: str | None = Field(
        default=None,
        min_length=32,
        repr=False,
        description="Keys the hashes of API keys and of the trail; unset: made once, kept in the store folder",
    )
    rate_per_principal: Rate = Field(default="1200/minute", description="Requests of one caller")
    rate_per_address: Rate = Field(default="6000/minute", description="Requests from one address, whoever asks")
    rate_failures: Rate = Field(default="20/minute", description="Failures of one key or token from one address")

    @property
    def required(self) -> bool:
        """Whether a request must say who it is from."""
        return self.tokens is not None or self.api_keys


class ExposedError(Exception):
    """The service would answer strangers without asking who they are."""


def check_exposure(host: str, settings: AuthSettings) -> None:
    """Raise ExposedError when the service would listen beyond this machine without authentication."""
    if not settings.required and not is_loopback(host):
        raise ExposedError(
            f"The service does not start: it would listen on {host}, beyond this machine, without authentication. Set API keys or "
            "OpenID Connect (docs/security.md), or listen on 127.0.0.1."
        )
