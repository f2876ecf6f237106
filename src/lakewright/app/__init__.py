"""One function per verb; the doors (command line, Python, console) call these and nothing below."""
