"""Verifies a body as the official libraries do: verify.py LIBRARY SECRET BODY, the headers as JSON on standard input.

Prints `verified` or `refused`.
"""

import importlib
import json
import sys

library, secret, path = sys.argv[1:]
headers = json.load(sys.stdin)
module = importlib.import_module({"standard-webhooks": "standardwebhooks", "svix": "svix.webhooks"}[library])
if library == "standard-webhooks":
    error = importlib.import_module("standardwebhooks.webhooks").WebhookVerificationError
else:
    error = module.WebhookVerificationError
with open(path, "rb") as file:
    body = file.read()
try:
    module.Webhook(secret).verify(body, headers)
except error:
    print("refused")
else:
    print("verified")
