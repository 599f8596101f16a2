"""Error text (first version)."""


def error_text(error: BaseException) -> str:
    text = str(error)
    if type(error).__name__ == "PermanentFailure":
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
