"""Only what pyproject.toml cannot say: the folder data/ belongs to the package, and stands in a wheel as rankbook/data."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["rankbook*"]), "rankbook.data"], package_dir={"rankbook.data": "data"})
