"""Grab something in a robot's camera picture, drag it, get predicted video of what would happen."""

from pkgutil import extend_path

# A checkout that was not installed in place holds no generated messages: when it shadows an
# installed copy (python -m pytest does so), they are found there.
__path__ = extend_path(__path__, __name__)
__version__ = '0.1.0'
