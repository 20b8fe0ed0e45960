"""Where values come from, which of them wins, and that all faults are told at once without their values."""

import pytest

from gateway.config import Config, ConfigError, Provider, load
from gateway.config.options import options
from gateway.errors import Kind
from gateway.model.placement import storage_of
from gateway.model.secret import Secret

LEAST = {"OCM_GATEWAY_PUBLIC_URL": "https://cloud.example.org", "OCM_GATEWAY_STORAGE__URL": "webdav+https://files/dav/"}


def faults(*args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return {fault.name: fault.message for fault in caught.value.faults}


@pytest.fixture
def write(tmp_path):
    def write(text, name="gateway.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_three_variables_are_enough():
    """Public URL, storage URL and credentials make a whole configuration."""
    config = load(None, {**LEAST, "OCM_GATEWAY_STORAGE__CREDENTIALS": "gateway:secret"})
    assert config.authority == config.provider_name == "cloud.example.org"
    assert config.storage.credentials == Secret("gateway:secret")
    assert config.keys_file == config.data_dir / "keys.json"


def test_flag_beats_environment_beats_file_beats_default(write):
    """A flag beats the environment, which beats the file, which beats the default."""
    path = write("http: {port: 1, host: file}\nops: {port: 1}\nlog: {level: debug}")
    environ = {**LEAST, "OCM_GATEWAY_HTTP__PORT": "2", "OCM_GATEWAY_OPS__PORT": "2"}
    config = load(path, environ, {"http.port": 3})
    assert (config.http.port, config.ops.port, config.http.host) == (3, 2, "file")
    assert (config.log.level, config.log.format) == ("debug", "text")


def test_an_empty_variable_and_an_empty_option_count_as_not_set(write):
    """What is empty leaves the layer below as it is."""
    config = load(
        write("http: {port: 1}\npeers:\nstore: {ca_file: }"), {**LEAST, "OCM_GATEWAY_HTTP__PORT": ""}, {"x": None}
    )
    assert config.http.port == 1
    assert config.store.ca_file is None


def test_configuration_cannot_be_changed():
    """Nothing can be set on a loaded configuration."""
    config = load(None, LEAST)
    with pytest.raises(ValueError, match="frozen"):
        config.storage.url = "file:///"


def test_lists_in_the_environment_have_commas():
    """A list in the environment is separated by commas."""
    config = load(None, {**LEAST, "OCM_GATEWAY_PEERS__ALLOW": "a.example, b.example"})
    assert config.peers.allow == ("a.example", "b.example")


def test_all_faults_come_at_once(write):
    """Faults of every layer, of single options and between options stand in one error."""
    path = write("http: {prot: 1}\nsession: {idle: 8d}\nlog: loud\npeers: {allow: [ok.example, 'not ok']}")
    environ = {
        "OCM_GATEWAY_PUBLIC_URL": "http://cloud.example.org",
        "OCM_GATEWAY_STORAGE_URL": "typo",
        "OCM_GATEWAY_STORAGE__URL": "webdav+http://files/",
        "OCM_GATEWAY_OPS__PORT": "99999",
    }
    found = faults(path, environ, {"storage.relay": "perhaps"})
    assert found == {
        "http.prot": "unknown option; did you mean http.port?",
        "log": "this is a section: write its options indented below it",
        "OCM_GATEWAY_STORAGE_URL": "unknown option; did you mean OCM_GATEWAY_STORAGE__URL?",
        "peers.allow.1": "This is not a host name or address with an optional port.",
        "ops.port": "has to be less than or equal to 65535 (set by OCM_GATEWAY_OPS__PORT)",
        "storage.relay": "has to be 'auto', 'always' or 'never' (set by a flag)",
        "session.idle": "longer than session.max",
        "public_url": "https is needed; plain http only together with peers.allow_http, for tests "
        "(set by OCM_GATEWAY_PUBLIC_URL)",
    }


def test_the_error_is_one_for_the_operator():
    """The error is of kind configuration, and names what is required first."""
    with pytest.raises(ConfigError) as caught:
        load(None, {})
    assert caught.value.kind is Kind.CONFIGURATION
    assert [fault.name for fault in caught.value.faults] == ["public_url", "storage.url"]
    assert all(fault.message.startswith("required: ") for fault in caught.value.faults)


def test_secrets_come_from_files(write):
    """A secret is read from the file that the environment or the YAML names, without its line end."""
    secret = write("gateway:s3cret\n", "secret")
    environ = {**LEAST, "OCM_GATEWAY_STORAGE__CREDENTIALS_FILE": str(secret)}
    assert load(None, environ).storage.credentials == Secret("gateway:s3cret")
    path = write(f"storage: {{credentials_file: {secret}}}")
    assert load(path, LEAST).storage.credentials == Secret("gateway:s3cret")


def test_a_secret_is_given_once(write):
    """A secret and its file together are an error, in either order."""
    pair = {
        "OCM_GATEWAY_STORAGE__CREDENTIALS": "a:b",
        "OCM_GATEWAY_STORAGE__CREDENTIALS_FILE": str(write("c:d", "secret")),
    }
    for environ in ({**LEAST, **pair}, {**dict(reversed(pair.items())), **LEAST}):
        assert "say it once" in faults(None, environ)["storage.credentials_file"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * 70000])
def test_a_secret_file_that_cannot_be_used_is_a_fault(tmp_path, content):
    """A missing, binary or huge secret file is told by the option's name."""
    path = tmp_path / "secret"
    if content:
        path.write_bytes(content)
    environ = {**LEAST, "OCM_GATEWAY_STORAGE__CREDENTIALS_FILE": str(path)}
    assert "cannot be read" in faults(None, environ)["storage.credentials_file"]


@pytest.mark.parametrize("path", [*(sorted(set(options()) - {"storages"})), "storages.old", "storages.old.url"])
def test_no_fault_repeats_a_value(path):
    """Whatever option a secret is put into by mistake, no fault and no traceback shows it."""
    with pytest.raises(ConfigError) as caught:
        load(None, LEAST, {path: {"hunter2": ["hunter2"]}})
    assert "hunter2" not in f"{caught.value}{caught.value.faults}{caught.value.__cause__}{caught.value.__context__}"


def test_secrets_do_not_show():
    """A loaded configuration shows no secret."""
    config = load(None, {**LEAST, "OCM_GATEWAY_STORAGE__CREDENTIALS": "gateway:hunter2"})
    assert "hunter2" not in f"{config!r}{config}{config.model_dump()}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("storage: {url: [hunter2", "this is not valid YAML at line"),
        ("password: *hunter2", "this is not valid YAML at line 1"),
        ("!hunter2 x", "this is not valid YAML at line 1"),
        ("a: 1\nhttp:\n  port: 1\n  port: 2\n", "a key stands twice at line 4, column 3"),
        ("[hunter2]", "the file has to hold options"),
        ("[" * 5000, "this is not valid YAML"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_by_its_place(write, text, message):
    """A broken file is told by line and column, without its text."""
    path = write(text)
    told = faults(path, LEAST)[str(path)]
    assert told.startswith(message)
    assert "hunter2" not in told


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    """A file that is missing or not text is told with the reason."""
    assert "No such file" in faults(tmp_path / "none", LEAST)[str(tmp_path / "none")]
    (tmp_path / "binary").write_bytes(b"\xff")
    assert "UTF-8" in faults(tmp_path / "binary", LEAST)[str(tmp_path / "binary")]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OCM_GATEWAY_CONFIG", "/etc/gateway.yaml"),
        ("OCM_GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("OCM_GATEWAY_SERVICE_PORT_HTTP", "80"),
        ("OCM_GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("OCM_GATEWAY_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("OCM_GATEWAY_OPS_SERVICE_HOST", "10.0.0.1"),
    ],
)
def test_what_kubernetes_adds_is_no_option(variable, value):
    """The variables that Kubernetes makes for a Service of our name do not stop the gateway."""
    assert load(None, {**LEAST, variable: value})


@pytest.mark.parametrize("variable", ["OCM_GATEWAY_HTTP_PORT", "OCM_GATEWAY_STORAGE__URI", "OCM_GATEWAY_X"])
def test_unknown_variables_are_refused(variable):
    """Any other variable with our prefix is an error."""
    assert "unknown option" in faults(None, {**LEAST, variable: "8080"})[variable]


def test_a_local_folder_is_used_with_users_of_a_file():
    """Where the storage is a local folder, users come from the file unless said otherwise."""
    flags = {"storage.url": "file:///srv/{user}", "identity.users_file": "users.yaml"}
    assert load(None, LEAST, flags).identity.providers == (Provider.FILE,)
    assert load(None, LEAST).identity.providers == (Provider.STORAGE,)


SEVERAL = {
    "OCM_GATEWAY_PUBLIC_URL": "https://cloud.example.org",
    "OCM_GATEWAY_STORAGES__OLD__URL": "webdav+https://old.example.org/{user}/",
    "OCM_GATEWAY_STORAGES__NEW__URL": "webdav+https://new.example.org/home/{user}/files/",
    "OCM_GATEWAY_STORAGE_RULES": '[{"users": ["alice"], "storage": "new"}, {"storage": "old"}]',
}


def test_several_storages_are_named_in_the_file_and_in_the_environment(write):
    """Each option of each storage goes through all layers; its secret may stand in a file; rules are JSON there."""
    path = write("storages: {old: {url: 'webdav+https://x/', connect_seconds: 3s}}")
    secret = str(write("gateway:s3cret\n", "secret"))
    config = load(path, {**SEVERAL, "OCM_GATEWAY_STORAGES__NEW__CREDENTIALS_FILE": secret})
    assert config.storages["old"].url == "webdav+https://old.example.org/{user}/"
    assert config.storages["old"].connect_seconds == 3
    assert config.storages["new"].credentials == Secret("gateway:s3cret")
    assert [storage_of(config.placement, name, ()) for name in ("alice", "bob")] == ["new", "old"]


def test_one_storage_is_called_default_and_needs_no_rule():
    """The short form is one storage on which everybody's files are."""
    config = load(None, LEAST)
    assert list(config.all_storages) == ["default"]
    assert storage_of(config.placement, "anybody", ()) == "default"


def test_faults_of_several_storages_are_told_by_their_names(write):
    """An unknown option names the nearest one of the same storage; what is missing is told for each."""
    path = write("storages: {old: {ulr: 'file:///x'}, Big: {url: 'file:///x'}, new: 5}")
    found = faults(path, {"OCM_GATEWAY_PUBLIC_URL": "https://cloud.example.org"})
    assert found["storages.old.ulr"] == "unknown option; did you mean storages.old.url?"
    assert "a-z 0-9 -" in found["storages"] or "indented" in found["storages.new"]


def test_rules_in_the_environment_that_are_no_json_are_a_fault():
    """What cannot be read is told without its text."""
    told = faults(None, {**SEVERAL, "OCM_GATEWAY_STORAGE_RULES": "hunter2"})
    assert told == {"storage_rules": "in the environment this is written as JSON (set by OCM_GATEWAY_STORAGE_RULES)"}


def test_a_configuration_can_be_made_of_plain_values():
    """Tests and `demo` may build a configuration without any file."""
    assert Config.model_validate({"public_url": "https://a.example", "storage": {"url": "webdav+http://b/"}})
