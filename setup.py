"""Packaging. The mm packages name neither torch nor each other, so all are listed here."""

from pathlib import Path

from setuptools import find_packages, setup

REQUIRES = [
    'torch>=2.4',
    'torchvision>=0.19',
    'numpy>=2',
    'onedl-mmengine>=0.10.12,<0.11',
    'onedl-mmcv>=2.3.6,<2.4',
    'onedl-mmsegmentation>=1.4.2,<1.5',
    'onedl-mmpretrain>=1.3.6,<1.4',
    'captum>=0.8',
    'nibabel>=5.2',
    'pydicom>=3.0.2',
    'python-gdcm>=3.2.6',  # Apache-2.0; JPEG lossless, JPEG-LS
    'pylibjpeg>=2',  # MIT, with pylibjpeg-openjpeg; JPEG 2000
    'pylibjpeg-openjpeg>=2.5',
    'scipy>=1.11',
    'scikit-image>=0.22',
    'scikit-learn>=1.4',
    'matplotlib>=3.8',
    'rich>=13',
    'pyyaml>=6',
    'jinja2>=3.1',
    'safetensors>=0.4.3',
]
DOCS = [
    'mkdocs>=1.6,<2',
    'mkdocs-material>=9.5,<10',
    'mkdocstrings-python>=2',
    'latex2mathml>=3.77',
]

setup(
    name='xaicovid_mm',
    version='0.1.0',
    description='Semi-supervised, explainable chest-CT analysis on the OpenMMLab stack',
    long_description=Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    python_requires='>=3.10',
    packages=find_packages(include=['xaicovid_mm', 'xaicovid_mm.*']),
    install_requires=REQUIRES,
    package_data={'xaicovid_mm': ['apis/templates/*', 'data_prep/templates/*']},
    extras_require={
        'onnx': ['onnx>=1.16', 'onnxscript>=0.2', 'onnxruntime>=1.18'],
        'timm': ['timm>=1.0'],
        'dicom-seg': ['highdicom>=0.25'],
        'lungmask': ['lungmask>=0.2.20'],
        'docs': DOCS,
        'test': [
            *DOCS,
            'onnx>=1.16',
            'onnxscript>=0.2',
            'onnxruntime>=1.18',
            'pytest>=8',
            'pytest-xdist>=3',
            'ruff>=0.6',
            'selenium>=4.20',
            'highdicom>=0.25',
            'ipykernel>=6',
            'monai>=1.4',  # oracle
            'mypy>=1.11',
            'nbclient>=0.10',
            'nbformat>=5.9',
            'timm>=1.0',
        ],
    },
)
