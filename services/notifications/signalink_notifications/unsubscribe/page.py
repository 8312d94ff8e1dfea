"""The two small pages of the unsubscribe link: asking, and done. No script, no style, nothing from elsewhere."""

from html import escape
from typing import Final

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # With `no-referrer` a browser would send the form with `Origin: null`, which nobody may.
    "Referrer-Policy": "same-origin",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""


def question(token: str) -> str:
    """Opening the link changes nothing: mail scanners open links too."""
    body = f"""
<p>Signalink will send you no mail at all any more. Push notifications and webhooks stay as they are.</p>
<form method="post" action="?token={escape(token, quote=True)}"><button type="submit">Stop the mails</button></form>"""
    return _PAGE.format(title="Stop mails from Signalink?", body=body)


def done() -> str:
    body = "<p>You get no mails any more. In your notification preferences you can switch them on again.</p>"
    return _PAGE.format(title="Done", body=body)
