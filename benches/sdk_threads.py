# The peer of `vega verify`: Upstox's own SDK asks for the profile of each token in a thread of its own. Arguments: Upstox's
# address, then the tokens.

import sys
from concurrent.futures import ThreadPoolExecutor

import upstox_client

upstox, tokens = sys.argv[1], sys.argv[2:]


def user_of(token):
    configuration = upstox_client.Configuration()
    configuration.host = upstox
    configuration.access_token = token
    return upstox_client.UserApi(upstox_client.ApiClient(configuration)).get_profile("2.0").data.user_id


with ThreadPoolExecutor(len(tokens)) as threads:
    users = list(threads.map(user_of, tokens))
if not all(users):
    sys.exit("a profile without a user")
