"""What the protocol asks, one line each: the list that tests name and that docs/conformance.md is printed from.

The system is Open Cloud Mesh, draft-ietf-ocm-open-cloud-mesh-07 (compatible with -05, -03 and older), with its
companion draft-ietf-ocm-integration-protocol-00. The titles are ours; the drafts decide.
"""

from dataclasses import dataclass

LEVELS = {"M": "must", "S": "should", "O": "may", "-": "ours"}

_TABLE = """
ADDR-1 M An address is split at its last @; the identifier is opaque
ADDR-2 M Hosts compare in lower case and without scheme, identifiers byte for byte
ADDR-3 M An address has no path; its port is the discovery port
DISC-1 M The discovery document has what readers of every age need, where they look for it
DISC-2 M Each resource type is listed once, with its share types
DISC-3 M Protocols tell what can be sent and what can be received, and nothing that is not served
DISC-4 M Capabilities are announced together with what they need
DISC-5 M Criteria that are announced are enforced
DISC-6 M As a client: https first, bounded in time, size and redirects
DISC-7 S Documents and keys of peers are cached; a failing peer is not hammered
DISC-8 M Allow and deny lists are asked before anything goes out
KEYS-1 M The key set is served where each draft looks for it; weak keys are refused
KEYS-2 S Keys rotate without a moment in which a valid signature fails
KEYS-3 - Peers that sign with draft-cavage find an RSA key of ours
SIG-1 M Requests to peers that verify carry one signature that readers of -05 and -07 accept
SIG-2 M The signature covers what it has to, and the date
SIG-3 M Exactly the signature that is marked as OCM's is verified; two are refused
SIG-4 M Whatever is missing, stale, wrong or weak in a signature is refused
SIG-5 M The key comes from the host that the message claims, after the lists were asked
SIG-6 M The target URI is rebuilt from the configured public URL
SIG-7 S Who signs acts only for its own users and shares
SIG-8 - A repeated signature has no second effect
SIG-9 M One scheme for each peer, and never back to unsigned
SHARE-1 M A share names receiver, owner, sender, type, resource and protocol
SHARE-2 M Three spellings of the protocol are understood
SHARE-3 M WebDAV offers carry their secret, access types, permissions and requirements
SHARE-4 M SSH offers are answered with the receiver's public keys
SHARE-5 M Web application offers name their targets and need an exchanged token
SHARE-6 M The receiver's criteria are met, or the share is not made
SHARE-7 M Answers and errors have the status and the fields of the draft
SHARE-8 S Shares that policy does not admit are refused
SHARE-9 - The same share sent twice is one share
SHARE-10 S The user is told and may accept or decline
NOTE-1 M Known notifications are handled, unknown ones change nothing
NOTE-2 S Notifications are signed; an unsigned one proves itself or is only a hint
NOTE-3 M Revocation ends access at once, on every replica
NOTE-4 M Nothing is shared on without permission
REQ-1 S A share may be requested from its owner
ACC-1 M The receiver discovers the sender again and builds the address of the resource
ACC-2 M Bearer token, Bearer secret and Basic secret open a share
ACC-3 M Where an exchange is required only exchanged tokens open the share; else it is tried first
ACC-4 M Where a second factor is required the user has shown one
ACC-5 M Access types tell use in place from transfer; the end of a transfer is announced
ACC-6 M Permissions hold for every method, and nothing outside the share can be reached
ACC-7 M The browser gets a token for a web application, never the secret
TOK-1 M A token is asked for by a signed form
TOK-2 M The answer is a Bearer token that is not cached
TOK-3 M Refusals carry an OAuth code; a code works for its own receiver only
TOK-4 M Tokens are not logged, not kept and not in URLs
INV-1 M Invites are read in every encoding in use
INV-2 M An accepted invite is announced and answered with who we are
INV-3 M Users find a dialog for invites, guests find the way to their own server
INV-4 M A contact holds for both sides
INV-5 O Each contact may see another identifier
DIR-1 M A directory is a signed list; one that cannot be verified is refused
DIR-2 S Several directories feed the way-finding page and the allow list
DIR-3 - A directory can be published
IP-1 M Access tokens are RFC 9068 JWTs that never outlive the share
IP-2 M Provisioned, OCM side: the protocol server knows before the receiver does
IP-3 M Provisioned, protocol side: only paired servers provision, and doing it twice is harmless
IP-4 M Self-contained: the token carries the share, for paired issuers only
IP-5 M Introspected: paired protocol servers may ask what a token means
IP-6 M Tokens of others are checked against issuer, key, type, time and share
EXT-1 O Contacts go in and out as JSContact
EXT-2 O Published resources can be listed
EXT-3 O Groups across servers
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: its id, how strongly the draft asks for it, and what it asks."""

    id: str
    level: str
    title: str


REQUIREMENTS = tuple(Requirement(*line.split(" ", 2)) for line in _TABLE.strip().splitlines())
