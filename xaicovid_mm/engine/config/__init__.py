from .build_errors import argument_errors
from .load import load_config

__all__ = ['argument_errors', 'load_config']
