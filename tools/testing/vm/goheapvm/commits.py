# SPDX-License-Identifier: GPL-2.0-only
"""What commit messages must be like: "area: verb in the imperative ...", and not too wide."""

import re

MOST_SUBJECT = 72
MOST_BODY = 75

SUBJECT = re.compile(r"^(?:[\w./-]+(?:, )?)+: (\S+)")

# Words that a subject begins with when it describes a state, not what to do.
NO_VERBS = set("""
a all an and another any as at both but by each every few fewer first for from half how if in
it its less many more most no none not of on one only or other others our plainer second
several some than that the their then there these they third this those to two what when
where which who whoever whose why with without
""".split())

# Imperatives with an ending that else makes a plural, a past tense or a noun.
VERBS = set("""
access address bring bypass compress discuss dismiss embed exceed express feed focus guess
heed miss need pass press process proceed seed shed speed string stress succeed suppress
toss
""".split())

# What checkpatch looks at in a message. The rest is about the files, which are checked whole.
CHECKPATCH_TYPES = ("BAD_FIXES_TAG", "COMMIT_LOG_LONG_LINE", "COMMIT_LOG_USE_LINK",
                    "COMMIT_LOG_VERSIONING", "COMMIT_LOG_WRONG_LINK", "COMMIT_MESSAGE",
                    "EMAIL_SUBJECT", "GERRIT_CHANGE_ID", "GIT_COMMIT_ID", "REPEATED_WORD",
                    "TYPO_SPELLING", "UNKNOWN_COMMIT_ID")


def complaints(message):
    """What is wrong with one message."""
    subject, _, body = message.partition("\n")
    if len(subject) > MOST_SUBJECT:
        yield f"subject is {len(subject)} long, more than {MOST_SUBJECT}"
    if body and not body.startswith("\n"):
        yield "no blank line after the subject"
    if any(len(line) > MOST_BODY for line in body.splitlines()):
        yield f"body is wider than {MOST_BODY}"
    wanted = SUBJECT.match(subject)
    if not wanted:
        yield "subject is not \"area: what to do\""
    elif not is_imperative(wanted[1]):
        yield f"subject is not in the imperative: \"{wanted[1]}\""


def is_imperative(word):
    """A guess, by the first word: no verb, a plural, a past tense or a participle is none."""
    if not re.fullmatch(r"[a-z]+", word) or word in NO_VERBS:
        return False
    return word in VERBS or not re.search(r"(?:ed|ing|[^s]s|ly)$", word)
