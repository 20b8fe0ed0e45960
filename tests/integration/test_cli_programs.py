"""What users type about app passwords and keys."""

import json
import os
import sys

from support.davdoor import run_program
from support.mounted import mounted
from support.sshdoor import make_key


async def test_app_passwords_and_keys_by_commands(tmp_path):
    """They are made, listed and ended by commands; an app password itself cannot type them."""
    (tmp_path / "client").mkdir()
    public = tmp_path / "client" / "id_ed25519.pub"
    public.write_text(make_key(public.parent) + " bob@laptop\n")
    async with mounted(tmp_path) as here:

        async def ocm(*words, password=here.password):
            environment = os.environ | {
                "OCM_GATEWAY_URL": f"{here.bob.local}/ocm",
                "OCM_GATEWAY_USER": "bob",
                "OCM_GATEWAY_PASSWORD": password,
            }
            return await run_program(sys.executable, "-m", "gateway", *words, env=environment)

        code, password = await ocm("app-passwords", "create", "Laptop")
        assert code == 0
        assert await here.status("PROPFIND", password=password.strip()) == 207
        assert (await ocm("app-passwords", "list", password=password.strip()))[0] != 0
        (one,) = json.loads((await ocm("app-passwords", "list", "--json"))[1])
        assert "Laptop" in (await ocm("app-passwords", "list"))[1]
        assert (await ocm("app-passwords", "delete", one["id"]))[0] == 0
        assert await here.status("PROPFIND", password=password.strip()) == 401
        code, added = await ocm("ssh-keys", "add", str(public), "--name", "Laptop", "--json")
        assert code == 0, added
        assert json.loads(added)["fingerprint"] in (await ocm("ssh-keys", "list"))[1]
        assert (await ocm("ssh-keys", "remove", json.loads(added)["id"]))[0] == 0
        assert (await ocm("ssh-keys", "list"))[1] == ""
