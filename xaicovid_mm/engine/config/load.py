"""Read a config, set options in it, and check both."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine import Config
from mmengine.logging import MMLogger
from mmengine.utils import import_modules_from_strings

from ...utils.errors import ConfigError, error_text
from .batch_size import match_batch_size
from .files import find_config
from .keys import check_keys, check_options
from .roles import check_roles
from .values import check_imports, check_values


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file, set options in it, and check both.

    Args:
        path: The file; one that is not there may be among ours, see `find_config`.
        options: Dotted name to value.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If the file cannot be read, has a key, or an option a name, that nothing reads,
            a value is of the wrong kind, training would see patients or masks that it must not see,
            or batch size and sampler do not agree.
    """
    found = find_config(path)
    try:
        with _quiet_mmengine():  # it logs every environment variable that a config reads
            cfg = Config.fromfile(found, import_custom_modules=False)
    except (Exception, SystemExit) as error:  # a config is a program
        raise ConfigError(
            f'{found} cannot be read: {type(error).__name__}: {error_text(error)}'
        ) from error
    _import(cfg)
    check_options(cfg, options or {})
    try:
        cfg.merge_from_dict(options or {})
    except Exception as error:  # mmengine's text says what does not fit
        raise ConfigError(f'--cfg-options {sorted(options or {})}: {error_text(error)}') from error
    _import(cfg)  # what an option names
    check_keys(cfg)
    check_values(cfg.to_dict())
    check_roles(cfg.to_dict())
    match_batch_size(cfg, options or {})
    return cfg


@contextmanager
def _quiet_mmengine() -> Iterator[None]:
    """Let mmengine log nothing but warnings."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)


def _import(cfg: Config) -> None:
    if imports := cfg.get('custom_imports'):
        check_imports(imports if not isinstance(imports, dict) else dict(imports))
        try:
            import_modules_from_strings(**imports)
        except Exception as error:  # a module is a program
            raise ConfigError(
                f'config custom_imports: {type(error).__name__}: {error_text(error)}'
            ) from error
