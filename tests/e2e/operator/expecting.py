"""What a proof says when a bar is missed."""


class Missed(Exception):
    """A bar was missed; the text says which."""


def expect(fine: bool, text: str) -> None:
    if not fine:
        raise Missed(text)
