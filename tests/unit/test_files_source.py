"""Files of other countries, times and programs are read exactly, or refused with file and line."""

from __future__ import annotations

import bz2
import gzip

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ludb.dialects.files import FilesSystem
from ludb.dialects.files_csv_writer import Dialect
from ludb.dialects.files_writer import Output, encode
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError
from ludb.model.unit import POSITION
from ludb.sources.files import FilesSource
from ludb.targets.files import FilesTarget
from ludb.testing.source import unit_table
from ludb.testing.target import TXN


@pytest.fixture
def scan(tmp_path):
    """Rows and refusals of table `t` over files given by name."""

    def scan(files, **options):
        for name, content in files.items():
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        settings = FilesSystem.model_validate({"type": "files", "path": ".", "tables": {"t": options}})
        source = FilesSource("legacy", settings, Surroundings(tmp_path, tmp_path))
        pieces = list(source.scan(unit_table("t")))
        refused = [(one.row_id, one.column) for piece in pieces for one in piece.refused]
        return pa.concat_tables(piece.rows for piece in pieces).to_pylist(), refused

    return scan


def test_a_csv_dialect_is_read_as_the_job_says(scan):
    text = "Export of May\n# made by hand\na;b\n'x;y';1\n'it\\'s\n# no comment';2\n# the end\n"
    found, _ = scan({"t.csv": text}, delimiter=";", quote="'", escape="\\", skip_lines=1, comment="#")
    assert found == [{"a": "x;y", "b": "1"}, {"a": "it's\n# no comment", "b": "2"}]


def test_a_file_without_header_gets_the_job_s_columns(scan):
    assert scan({"t.csv": "1,Ann\n2,Bo\n"}, columns=["id", "name"])[0] == [
        {"id": "1", "name": "Ann"},
        {"id": "2", "name": "Bo"},
    ]


def test_without_quotes_a_quote_is_a_letter(scan):
    assert scan({"t.csv": 'a,b\n5" pipe,x\n'}, quote="")[0] == [{"a": '5" pipe', "b": "x"}]


def test_a_decimal_comma_is_one_and_a_point_beside_it_is_refused(scan):
    found, refused = scan(
        {"t.csv": "n\n1,50\n1.000,5\n7\n"}, delimiter=";", decimal_comma=True, types={"n": "decimal(9,2)"}
    )
    assert [str(row["n"]) for row in found] == ["1.50", "None", "7.00"]
    assert refused == [("2", "n")]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig", "shift_jis"])
@pytest.mark.parametrize("comment", [None, "#"])
def test_any_encoding_of_python_is_read(scan, encoding, comment):
    name = "日本" if encoding == "shift_jis" else "Zoë"
    assert scan({"t.csv": f"a,b\n{name},1\n".encode(encoding)}, encoding=encoding, comment=comment)[0] == [
        {"a": name, "b": "1"}
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "fixed"])
def test_wrong_bytes_are_named_by_file_and_line_never_replaced(scan, form):
    lines = {"csv": ["a", "x"], "jsonl": ['{"a": 1}', '{"a": 2}'], "fixed": ["ab", "cd"]}[form]
    bad = "\n".join(lines).encode() + b"\n\x81\x9d\n"
    options = {"widths": {"a": 2}} if form == "fixed" else {}
    with pytest.raises(ConfigError, match=r"cp1252|UTF-8|utf-8") as caught:
        scan({"t.txt": bad}, file="t.txt", format=form, encoding="cp1252" if form == "csv" else "utf-8", **options)
    assert (caught.value.file.endswith("t.txt"), caught.value.line) == (True, 3)


def test_fixed_width_cuts_padding_and_names_a_long_line(scan):
    how = {"file": "t.txt", "format": "fixed", "widths": {"id": 3, "name": 5}, "types": {"id": "integer"}}
    found, refused = scan({"t.txt": "1  Ann  \nx  Zoë\r\n2\n"}, **how)
    assert found == [{"id": 1, "name": "Ann"}, {"id": None, "name": "Zoë"}, {"id": 2, "name": None}]
    assert refused == [("2", "id")]
    with pytest.raises(ConfigError, match="more than 8 characters") as caught:
        scan({"t.txt": "1  Ann\n1  Annabella\n"}, **how)
    assert (caught.value.line, caught.value.column) == (2, 9)


def test_a_json_document_is_read_by_the_path_of_its_array(scan):
    text = '{"data": {"people": [{"id": 1, "n": 1.10}, {"id": 2, "tags": ["a"]}]}}'
    found, _ = scan({"t.json": text}, rows="data.people")
    assert [(row["id"], str(row["n"]), row["tags"]) for row in found] == [(1, "1.10", None), (2, "None", '["a"]')]
    with pytest.raises(ConfigError, match="nothing at 'poeple'"):
        scan({"t.json": text}, rows="data.poeple")
    with pytest.raises(ConfigError, match="not a JSON document") as caught:
        scan({"t.json": '[{"a": 1},\n {"a" 2}]'})
    assert (caught.value.line, caught.value.column) == (2, 7)


@pytest.mark.parametrize(("ending", "zipped"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_compressed_files_are_known_by_their_ending(scan, ending, zipped):
    assert scan({f"t.csv.{ending}": zipped(b"a\n1\n")})[0] == [{"a": "1"}]


def test_zstd_and_a_compression_that_no_ending_tells(scan):
    zipped = pa.Codec("zstd").compress(b'{"a": 1}\n', asbytes=True)
    assert scan({"t.jsonl.zst": zipped})[0] == [{"a": 1}]
    assert scan({"odd": gzip.compress(b"a\n1\n")}, file="odd", format="csv", compression="gzip")[0] == [{"a": "1"}]


@pytest.mark.parametrize(
    "content", [b"no gzip at all", gzip.compress(b"a\n" + b"1\n2\n" * 100, mtime=0)[:-12]], ids=["text", "cut"]
)
def test_a_broken_compressed_file_is_a_mistake_with_its_name(scan, content):
    with pytest.raises(ConfigError, match="gzip") as caught:
        scan({"t.csv.gz": content})
    assert caught.value.file.endswith("t.csv.gz")


def test_several_files_make_one_table_in_name_order(scan):
    parts = {"p-2.csv": "a,b\n3,x\n", "p-1.csv": "a,b\n1,x\n2,y\n"}
    found, refused = scan(parts, file="p-*.csv", types={"b": "integer"})
    assert [row["a"] for row in found] == ["1", "2", "3"]
    assert refused == [("1", "b"), ("2", "b"), ("3", "b")]  # staging finds the unit by the row's number in the scan


def test_files_with_other_columns_are_named(scan):
    with pytest.raises(ConfigError, match=r"not those of .*p-1\.csv") as caught:
        scan({"p-1.csv": "a,b\n", "p-2.csv": "a,c\n"}, file="p-*.csv")
    assert caught.value.file.endswith("p-2.csv")


def test_xml_rows_have_elements_attributes_and_nested_names(scan):
    text = (
        '<x:all xmlns:x="urn:x"><head/><x:person id="1"><name>Ann</name><address><city>Ulm</city></address></x:person>'
        "<x:person id='2'><name/></x:person></x:all>"
    )
    assert scan({"t.xml": text}, format="xml", rows="all/person")[0] == [
        {"@id": "1", "name": "Ann", "address/city": "Ulm"},
        {"@id": "2", "name": "", "address/city": None},
    ]


def test_an_entity_bomb_is_an_error_and_so_is_xml_that_is_cut_off(scan):
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a><r><x>&c;</x></r></a>'
    with pytest.raises(ConfigError, match="DTD"):
        scan({"t.xml": bomb}, format="xml", rows="a/r")
    with pytest.raises(ConfigError, match="not well-formed") as caught:
        scan({"t.xml": "<a>\n<r><x>1</x></r>\n<r>"}, format="xml", rows="a/r")
    assert caught.value.line == 3


def test_an_element_twice_in_a_row_is_named(scan):
    with pytest.raises(ConfigError, match="row 1: x is there more than once"):
        scan({"t.xml": "<a><r><x>1</x><x>2</x></r></a>"}, format="xml", rows="a/r")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"encoding": "klingon"}, "no encoding"),
        ({"encoding": "rot13"}, "no encoding"),
        ({"format": "fixed"}, "widths"),
        ({"widths": {"a": 1}}, "widths"),
        ({"format": "fixed", "widths": {"a": 0}}, "greater than 0"),
        ({"format": "xml"}, "rows"),
        ({"delimiter": "'", "quote": "'"}, "differ"),
        ({"columns": ["a", "a"]}, "twice"),
        ({"compression": "rar"}, "gzip"),
    ],
)
def test_a_setting_that_cannot_be_is_a_named_mistake(scan, options, named):
    with pytest.raises(ValueError, match=named):
        scan({"t.csv": "a\n"}, **options)


@pytest.mark.parametrize("zipped", ["gzip", "bz2", "zstd"])
def test_compressed_output_in_a_dialect_is_read_back_and_is_the_same_each_time(tmp_path, zipped):
    output = Output("csv", zipped, Dialect(";"))
    table = pa.table({"a": ["x;y", None, ""]})
    content = encode(table, output, "out.t")
    assert encode(table, output, "out.t") == content
    (tmp_path / f"t.{output.ending}").write_bytes(content)
    settings = FilesSystem.model_validate({"type": "files", "path": ".", "tables": {"t": {"delimiter": ";"}}})
    (piece,) = FilesSource("legacy", settings, Surroundings(tmp_path, tmp_path)).scan(unit_table("t"))
    assert piece.rows.column("a").to_pylist() == ["x;y", None, ""]


@pytest.mark.parametrize(
    "given",
    [{"format": "parquet", "compression": "bz2"}, {"delimiter": '"'}, {"delimiter": ""}, {"compression": "rar"}],
)
def test_an_output_that_cannot_be_is_a_named_mistake(given):
    with pytest.raises(ValueError, match=r"compression|delimiter"):
        FilesSystem.model_validate({"type": "files", "path": "out", **given})


TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8))


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_what_the_csv_target_writes_the_csv_source_reads(tmp_path_factory, values):
    here = tmp_path_factory.mktemp("round")
    target = FilesTarget("out", FilesSystem(type="files", path="out", format="csv"), Surroundings(here, here))
    target.prepare_schema()
    table = pa.table({POSITION: list(range(len(values))), "a": [a for a, _ in values], "b": [b for _, b in values]})
    table = table.cast(pa.schema([(POSITION, pa.int64()), ("a", pa.string()), ("b", pa.string())]))
    participant = target.begin(TXN)
    participant.write("t", table)
    participant.prepare()
    participant.commit()
    if values:
        settings = FilesSystem.model_validate({"type": "files", "path": "out", "tables": {"t": {"file": "t/*.csv"}}})
        pieces = FilesSource("legacy", settings, Surroundings(here, here)).scan(unit_table("t"))
        assert (
            pa.concat_tables(piece.rows for piece in pieces).to_pylist() == table.drop_columns([POSITION]).to_pylist()
        )


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            *[
                st.text(
                    st.characters(
                        min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]
                    ),
                    max_size=6,
                )
            ]
            * 2
        ),
        max_size=5,
    )
)
def test_fixed_width_lines_come_back(tmp_path_factory, values):
    here = tmp_path_factory.mktemp("fixed")
    lines = [f"{a:6}{b:6}" for a, b in values if a or b]
    (here / "t.txt").write_bytes("".join(f"{line}\n" for line in lines).encode("utf-16"))
    how = {"file": "t.txt", "format": "fixed", "widths": {"a": 6, "b": 6}, "encoding": "utf-16"}
    settings = FilesSystem.model_validate({"type": "files", "path": ".", "tables": {"t": how}})
    pieces = FilesSource("legacy", settings, Surroundings(here, here)).scan(unit_table("t"))
    found = pa.concat_tables(piece.rows for piece in pieces).to_pylist()
    assert found == [{"a": a or None, "b": b or None} for a, b in values if a or b]
