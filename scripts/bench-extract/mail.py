# Prints subject and text of a mail: the plain text bodies, else the HTML ones.
import email, email.policy, html.parser, sys


class Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")
        self.parts.append(" " if tag in ("b", "i", "a", "span", "font", "em", "strong") else "\n")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def content(part):
    try:
        text = part.get_content()
    except (LookupError, ValueError):
        text = part.get_payload(decode=True).decode("utf-8", "replace")
    if part.get_content_type() == "text/html":
        parser = Text()
        parser.feed(text)
        text = "".join(parser.parts)
    return text


with open(sys.argv[1], "rb") as f:
    mail = email.message_from_binary_file(f, policy=email.policy.default)
leaves = [p for p in mail.walk() if not p.is_multipart() and p.get_content_disposition() != "attachment"]
bodies = [p for p in leaves if p.get_content_type() == "text/plain"] or [p for p in leaves if p.get_content_type() == "text/html"]
sys.stdout.reconfigure(errors="replace")
print(mail.get("subject", ""))
for part in bodies:
    print(content(part))
