"""Small own lists that people, companies and places are drawn from."""

FIRST_F = (
    "Anna",
    "Käthe",
    "Jörna",
    "Sabine",
    "Heike",
    "Renée",
    "Uschi",
    "Marlies",
    "Aylin",
    "Katarzyna",
    "Zoë",
    "Inês",
)
FIRST_M = ("Jürgen", "Günter", "Björn", "Karl", "Uwe", "Sören", "André", "Emre", "Tomasz", "JOÃO", "Hans-Peter", "Lars")
LAST = (
    "Müller",
    "Schröder",
    "Weiß",
    "Kühn",
    "Böhm",
    "Groß",
    "Schäfer",
    "Krüger",
    "Jäger",
    "Öztürk",
    "Yılmaz",  # noqa: RUF001  (a Turkish name is written so)
    "Kowalski",
    "Hoffmann",
    "Lehmann",
    "Brandt",
    "von der Heide",
    "O'Neill",
    "Nguyen",
    "Petersen",
    "Überall",
    "Äpfelbach",
)
TRADE = (
    "Bäckerei",
    "Autohaus",
    "Gärtnerei",
    "Spedition",
    "Steuerbüro",
    "Druckerei",
    "Möbelhaus",
    "Fahrschule",
    "Praxis",
)
FORM = ("GmbH", "AG", "KG", "e.K.", "GmbH & Co. KG", "OHG")
STREET = (
    "Hauptstraße",
    "Bahnhofstraße",
    "Am Mühlbach",
    "Schloßallee",
    "Gartenweg",
    "Lindenstr.",
    "Kirchplatz",
    "Ringstraße",
)
CITY = (
    ("20095", "Hamburg"),
    ("80331", "München"),
    ("50667", "Köln"),
    ("40213", "Düsseldorf"),
    ("90402", "Nürnberg"),
    ("48143", "Münster"),
    ("04109", "Leipzig"),
    ("01067", "Dresden"),
    ("23552", "Lübeck"),
    ("99084", "Erfurt"),
)
MAIL = ("example.com", "example.org", "example.net")

REPAIRABLE = "äöüÄÖÜßéè"
"""Letters whose mojibake can be undone without doubt."""


def mojibake(text: str) -> str:
    """The text as a program that took UTF-8 for Windows-1252 stored it; unchanged where that could not be undone."""
    special = {letter for letter in text if not letter.isascii()}
    if not special or not special <= set(REPAIRABLE):
        return text
    return text.encode("utf-8").decode("cp1252")
