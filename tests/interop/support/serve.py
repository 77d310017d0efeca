"""A server for one user: serve.py ADDRESS PORT USER PASSWORD DIRECTORY [CERTIFICATE REQUIRED]"""
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

address, port, user, password, directory, *encryption = sys.argv[1:]
logging.basicConfig(level=logging.ERROR)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, directory, perm="elradfmwMT")
handler = FTPHandler
if encryption:
    from pyftpdlib.handlers import TLS_FTPHandler

    handler = TLS_FTPHandler
    handler.certfile, required = encryption
    handler.tls_control_required = True
    handler.tls_data_required = required == "all"
handler.authorizer = authorizer
FTPServer((address, int(port)), handler).serve_forever()
