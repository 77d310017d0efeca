"""A server for one user: serve.py ADDRESS PORT USER PASSWORD DIRECTORY"""
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

address, port, user, password, directory = sys.argv[1:]
logging.basicConfig(level=logging.ERROR)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, directory, perm="elradfmwMT")
FTPHandler.authorizer = authorizer
FTPServer((address, int(port)), FTPHandler).serve_forever()
