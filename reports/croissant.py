"""The facts as Croissant 1.1: JSON-LD that search engines and loaders read, with RAI 1.0 and PROV-O.

The names are those of the specifications of MLCommons (http://mlcommons.org/croissant/1.1 and /RAI/1.0). What a
specification asks for and the maker did not state in the recipe's table `card` (creator, url, datePublished) is left
out rather than made up. The moment of the run is left out too: it is no date of publication, and equal runs shall give
equal files. The version is derived from the rows, for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import shown, statements
from reports.hub import languages
from reports.outputs import MEANINGS

Facts = Mapping[str, Any]
_TERMS = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format "
    "includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
    "samplingRate separator source subField transform"
)
# Of mlcroissant 1.1.1 for version 1.1, so that its validator has nothing to remark, and the prefix of PROV-O.
CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/", "prov": "http://www.w3.org/ns/prov#", "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"}, "description": {"@container": "@language"},
    "name": {"@container": "@language"}, **{term: f"cr:{term}" for term in _TERMS.split()},
}  # fmt: skip
_TYPES = {"string": "sc:Text", "bool": "sc:Boolean", "null": "sc:Text"}
_FORMATS = {"parquet": "application/x-parquet", "jsonl": "application/jsonlines"}
# Licences as SPDX spells them; their pages are found by this spelling alone.
_SPDX = {
    name.lower(): name
    for name in (
        "Apache-2.0", "MIT", "AFL-3.0", "Artistic-2.0", "BSL-1.0", "BSD-2-Clause", "BSD-3-Clause",
        "BSD-3-Clause-Clear", "C-UDA-1.0", "CC0-1.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0",
        "CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0",
        "CC-BY-ND-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0",
        "CC-BY-NC-SA-4.0", "CDLA-Sharing-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "WTFPL", "ECL-2.0",
        "EPL-1.0", "EPL-2.0", "etalab-2.0", "EUPL-1.1", "EUPL-1.2", "AGPL-3.0-only", "AGPL-3.0-or-later",
        "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-2.1-only", "LGPL-3.0-only", "ISC",
        "LPPL-1.3c", "MS-PL", "MPL-2.0", "ODC-By-1.0", "ODbL-1.0", "OSL-3.0", "PostgreSQL", "OFL-1.1", "NCSA",
        "Unlicense", "Zlib", "PDDL-1.0",
    )
}  # fmt: skip


def croissant(facts: Facts) -> dict[str, Any]:
    """Return the metadata of the mix, or of an export of it.

    Args:
        facts: of `reports.quality`; the files described are `provenance.outputs`.
    """
    head, made, stated = facts["headline"], facts["provenance"], facts["provenance"]["stated"]
    rows = next(file for file in made["outputs"] if "columns" in file)
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": shown.line(head["name"]),
        "description": shown.line(stated.get("description") or statements.summary(facts)),
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "license": _licences(facts),
        "url": stated.get("url"),
        "creator": [{"@type": "sc:Organization", "name": shown.line(name)} for name in stated.get("creators", ())],
        "datePublished": stated.get("published"),
        "citeAs": stated.get("cite"),
        "version": stated.get("version") or f"1.0.0+{rows['sha256'][:12]}",
        "inLanguage": languages(facts),
        "keywords": ["instruction tuning", *sorted(_tasks(facts))],
        "isLiveDataset": False,
        **_responsible(facts),
        **_provenance(facts),
        "distribution": [_file(file) for file in made["outputs"]],
        "recordSet": [_records(rows)],
    }
    return {key: value for key, value in found.items() if value not in (None, [], "")}


def _tasks(facts: Facts) -> set[str]:
    return {shown.line(value["value"]) for value in statements.tables(facts)["task"]["values"] if value["value"]}


def _licences(facts: Facts) -> list[str]:
    """Return the pages of the mix's licences at SPDX; one that SPDX does not know as it was declared."""
    names = [value["value"] for value in statements.tables(facts)["license"]["values"] if value["value"]]
    known = {name: _SPDX.get(name.lower()) for name in names}
    return [f"https://spdx.org/licenses/{spdx}" if spdx else shown.line(name) for name, spdx in known.items()]


def _responsible(facts: Facts) -> dict[str, Any]:
    """Return the properties of RAI 1.0: those that can be computed, and those that the maker stated."""
    stated = facts["provenance"]["stated"]
    collected = [stated.get("collection") or "How the sources were collected is not stated by the maker."]
    texts: dict[str, Any] = {
        "dataCollection": " ".join([*collected, *statements.collection(facts)]),
        "dataPreprocessingProtocol": statements.repairs(facts),
        "dataManipulationProtocol": " ".join([*statements.manipulation(facts), *statements.judged(facts)]),
        "dataAnnotationProtocol": stated.get("annotation"),
        "dataBiases": statements.biases(facts),
        "dataLimitations": [*statements.limits(facts), *statements.copies(facts), *statements.leaks(facts)],
        "personalSensitiveInformation": statements.personal(facts),
        "dataUseCases": [stated[key] for key in ("uses", "unfit_for") if key in stated],
        "dataReleaseMaintenancePlan": stated.get("maintenance"),
    }
    said = {key: [*map(shown.line, v)] if isinstance(v, list) else v and shown.line(v) for key, v in texts.items()}
    return {f"rai:{key}": value for key, value in said.items() if value}


def _provenance(facts: Facts) -> dict[str, Any]:
    """Return what the mix was made from, and by what."""
    made = facts["provenance"]
    files = {file["sha256"]: file for file in made["inputs"]}
    sources = [
        {
            "@id": f"urn:sha256:{digest}",
            "@type": "prov:Entity",
            "prov:label": shown.line(statements.place(file["path"])),
            "sha256": digest,
            "contentSize": f"{file['bytes']} B",
        }
        for digest, file in files.items()
    ]
    versions = made["versions"]
    activity = {
        "@type": "prov:Activity",
        "prov:label": shown.line(statements.command(facts)),
        "prov:used": [{"@id": f"urn:sha256:{digest}"} for digest in files],
        "prov:wasAssociatedWith": {
            "@type": "prov:SoftwareAgent",
            "prov:label": shown.line(f"curatune {versions.get('curatune', '')}"),
        },
        "identifier": f"recipe sha256 {made['recipe_sha256']}, seed {made['seed']}",
    }
    return {"prov:wasDerivedFrom": sources, "prov:wasGeneratedBy": activity}


def _file(file: Facts) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file["path"],
        "name": file["path"].split("/")[-1],
        "contentUrl": file["path"],
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": _FORMATS[file["path"].rsplit(".", 1)[-1]],
        "sha256": file["sha256"],
    }


def _records(file: Facts) -> dict[str, Any]:
    """Return the record set of a Parquet file: one field for each column."""
    return {
        "@type": "cr:RecordSet",
        "@id": "rows",
        "name": "rows",
        "description": f"{shown.plural(file['rows'], 'row')}, one per rendered example.",
        **({"key": {"@id": "rows/id"}} if "id" in [column["name"] for column in file["columns"]] else {}),
        "field": [_field(column, file["path"]) for column in file["columns"]],
    }


def _field(column: Facts, path: str) -> dict[str, Any]:
    """Return one column as a field."""
    name, kind = column["name"], column["type"]
    source = {"fileObject": {"@id": path}, "extract": {"column": name}}
    depth = 0
    while isinstance(kind, Mapping) and "list" in kind:
        kind, depth = kind["list"], depth + 1
    found: dict[str, Any] = {"@type": "cr:Field", "@id": f"rows/{name}", "name": name}
    if name in MEANINGS:
        found["description"] = MEANINGS[name]
    if depth:
        found |= {"isArray": True, "arrayShape": ",".join(["-1"] * depth)}
    if isinstance(kind, str):
        return {**found, "dataType": _type(kind), "source": source}
    return {**found, "subField": [_part(part, name, source) for part in kind["struct"]]}


def _part(part: Facts, column: str, source: Facts) -> dict[str, Any]:
    """Return one member of a struct as a sub-field; what it holds further in is read as it is."""
    return {
        "@type": "cr:Field",
        "@id": f"rows/{column}/{part['name']}",
        "name": part["name"],
        "dataType": _type(part["type"]) if isinstance(part["type"], str) else "sc:Text",
        "source": {**source, "transform": {"jsonPath": part["name"]}},
    }


def _type(kind: str) -> str:
    """Return a data type; sized numbers have the names of Arrow in the vocabulary, but for capitals."""
    return _TYPES.get(kind) or "cr:" + kind.replace("u", "U").replace("int", "Int").replace("float", "Float")
