"""Contracts of the Open Data Contract Standard, read into columns and expectations, and written from them."""

from __future__ import annotations

from lakewright.project.contracts.read import Contract, ContractObject, read_contract
from lakewright.project.contracts.write import contract_of, contract_text

__all__ = ["Contract", "ContractObject", "contract_of", "contract_text", "read_contract"]
