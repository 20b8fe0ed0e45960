"""What deployed servers put on the wire, recorded between running ones: their very bytes, with throw-away secrets.

The documents and messages come from Nextcloud 31.0.6 (NC31), Nextcloud 32.0.1 (NC32), ownCloud 10.15.2 (OC10) and
ocm-stub (STUB). The keys in the documents are cut short, since nothing here checks a signature.
"""

from __future__ import annotations

PEM = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"
_ESCAPED_PEM = "-----BEGIN PUBLIC KEY-----\\nMIIB\\n-----END PUBLIC KEY-----\\n"

NC31_DISCOVERY = (
    r'{"enabled":true,"apiVersion":"1.0-proposal1","version":"1.1","endPoint":"https:\/\/localhost:9443\/ocm",'
    r'"publicKey":{"keyId":"https:\/\/localhost:9443\/ocm#signature","publicKeyPem":"' + _ESCAPED_PEM + r'"},'
    r'"resourceTypes":[{"name":"file","shareTypes":["user","group"],"protocols":{"webdav":"\/public.php\/webdav\/"}}]}'
).encode()
NC32_DISCOVERY = (
    r'{"enabled":true,"apiVersion":"1.0-proposal1","version":"1.1.0","endPoint":"https:\/\/localhost:9446\/ocm",'
    r'"publicKey":{"keyId":"https:\/\/localhost:9446\/ocm#signature","publicKeyPem":"' + _ESCAPED_PEM + r'"},'
    r'"resourceTypes":[{"name":"file","shareTypes":["user","group"],"protocols":{"webdav":"\/public.php\/webdav\/"}}],'
    r'"capabilities":["\/invite-accepted","\/notifications","\/shares"]}'
).encode()
OC10_DISCOVERY = (
    rb'{"enabled":true,"apiVersion":"1.0-proposal1",'
    rb'"endPoint":"https:\/\/localhost:9448\/apps\/federatedfilesharing",'
    rb'"shareTypes":[{"name":"file","protocols":{"webdav":"\/public.php\/webdav\/"}}]}'
)
STUB_DISCOVERY = (
    b'{"enabled":true,"apiVersion":"1.0-proposal1","endPoint":"https://localhost:9447/ocm","resourceTypes":'
    b'[{"name":"file","shareTypes":["user","group"],"protocols":{"webdav":"/webdav-api/"}}],'
    b'"publicKey":"-----BEGIN RSA PUBLIC KEY-----\\nMIIB\\n-----END RSA PUBLIC KEY-----\\n"}'
)

NC31_SHARE = (
    rb'{"shareWith":"anna@https:\/\/localhost:9444","shareType":"user","name":"nc.txt","resourceType":"file",'
    rb'"description":"","providerId":3,"owner":"alice@localhost:9443","ownerDisplayName":"alice",'
    rb'"sharedBy":"alice@localhost:9443","sharedByDisplayName":"alice","protocol":{"name":"webdav",'
    rb'"options":{"sharedSecret":"15Cji9om2V98efq",'
    rb'"permissions":"{http:\/\/open-cloud-mesh.org\/ns}share-permissions"}}}'
)
NC32_SHARE = (
    rb'{"shareWith":"marie@https:\/\/localhost:9444","shareType":"user","name":"nc32.txt","resourceType":"file",'
    rb'"description":"","providerId":"1","owner":"alice@localhost:9446","ownerDisplayName":"alice",'
    rb'"sharedBy":"alice@localhost:9446","sharedByDisplayName":"alice","sender":"alice@localhost:9446",'
    rb'"senderDisplayName":"alice","protocol":{"name":"webdav","options":{"sharedSecret":"bBiXxjg3ogtbxtH",'
    rb'"permissions":"{http:\/\/open-cloud-mesh.org\/ns}share-permissions"}}}'
)
OC10_SHARE = (
    rb'{"shareWith":"marie@localhost:9444","name":"oc.txt","providerId":"1",'
    rb'"owner":"alice@https:\/\/localhost:9448","ownerDisplayName":"alice",'
    rb'"sender":"alice@https:\/\/localhost:9448","senderDisplayName":"alice","shareType":"user",'
    rb'"resourceType":"file","protocol":{"name":"webdav","options":{"sharedSecret":"S8255HY6ie4F3qv"}}}'
)
STUB_SHARE = b"""{
  "shareWith": "marie@localhost:9449",
  "name": "Test share from stub",
  "providerId": "localhost:9447",
  "meshProvider": "localhost:9447",
  "owner": "einstein@localhost:9447",
  "ownerDisplayName": "einstein",
  "sender": "einstein@localhost:9447",
  "senderDisplayName": "einstein",
  "shareType": "user",
  "resourceType": "file",
  "code": "123456",
  "protocol": {
    "name": "webdav",
    "options": {
      "sharedSecret": "shareMeNot"
    },
    "webdav": {
      "sharedSecret": "shareMeNot",
      "URI": "https://localhost/webdav-api/file.txt"
    }
  }
}"""

NC31_ACCEPTED = (
    b'{"notificationType":"SHARE_ACCEPTED","resourceType":"file","providerId":"bobf",'
    b'"notification":{"sharedSecret":"SECRETbob","message":"Recipient accept the share"}}'
)
NC31_DECLINED = (
    b'{"notificationType":"SHARE_DECLINED","resourceType":"file","providerId":"x1",'
    b'"notification":{"sharedSecret":"SEC-x1","message":"Recipient declined the share"}}'
)
NC31_UNSHARED = (
    b'{"notificationType":"SHARE_UNSHARED","resourceType":"file","providerId":"3",'
    b'"notification":{"sharedSecret":"15Cji9om2V98efq","message":"file is no longer shared with you"}}'
)
OC10_UNSHARED = (
    b'{"notificationType":"SHARE_UNSHARED","resourceType":"file","providerId":"1",'
    b'"notification":{"sharedSecret":"S8255HY6ie4F3qv","message":"File was unshared"}}'
)
STUB_ACCEPTED = (
    b'{"type":"SHARE_ACCEPTED","resourceType":"file","providerId":"p2",'
    b'"notification":{"message":"Recipient accepted the share"}}'
)
