from .write import PhantomCase, make_case, write_phantom

__all__ = ['PhantomCase', 'make_case', 'write_phantom']
