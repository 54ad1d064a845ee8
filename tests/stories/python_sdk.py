# What a trading program in Python does: reads its token from Vega's server with a key, and calls Upstox with Upstox's own
# SDK. Arguments: the server, the API, Upstox's address. The key comes in the environment.

import json
import os
import sys
import urllib.request

import upstox_client

server, api, upstox = sys.argv[1:]
request = urllib.request.Request(
    f"{server}/api/v1/apis/{api}/token?min_valid=60",
    headers={"Authorization": f"Bearer {os.environ['VEGA_KEY']}"},
)
with urllib.request.urlopen(request) as answer:
    token = json.load(answer)

configuration = upstox_client.Configuration()
configuration.host = upstox
configuration.access_token = token["access_token"]
profile = upstox_client.UserApi(upstox_client.ApiClient(configuration)).get_profile("2.0")
print(profile.data.user_id)
