"""The words of the login page, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoginWords:
    """What the page says in one language. `{…}` is filled in by the page."""

    language: str  # in itself
    title: str
    name: str
    password: str
    sign_in: str
    sign_out: str
    wrong: str
    locked: str  # {minutes}
    signed_out: str
    expired: str
    stale: str
    signed_in: str  # {name}
    not_allowed: str  # {name}
    pages: Mapping[str, str]


ENGLISH = LoginWords(
    language="English",
    title="Staff sign-in",
    name="Name",
    password="Password",
    sign_in="Sign in",
    sign_out="Sign out",
    wrong="That name and password do not fit together.",
    locked="Too many attempts. Try again in {minutes} min.",
    signed_out="You are signed out.",
    expired="Your session is over. Please sign in again.",
    stale="This page was open too long. Please try once more.",
    signed_in="You are signed in as {name}.",
    not_allowed="You are signed in as {name}. That page is not open to you; sign in with another account.",
    pages={"/desk": "Support desk", "/workshop": "Workshop"},
)

CHINESE = LoginWords(
    language="中文",
    title="员工登录",
    name="姓名",
    password="密码",
    sign_in="登录",
    sign_out="退出登录",
    wrong="姓名或密码不正确。",
    locked="尝试次数过多，请在 {minutes} 分钟后再试。",
    signed_out="您已退出登录。",
    expired="您的登录已过期，请重新登录。",
    stale="页面打开时间过长，请再试一次。",
    signed_in="您已登录为 {name}。",
    not_allowed="您已登录为 {name}，但无权打开该页面。请换一个账号登录。",
    pages={"/desk": "客服工作台", "/workshop": "运营工作室"},
)

LOGIN_WORDS: Mapping[str, LoginWords] = {"en": ENGLISH, "zh": CHINESE}
