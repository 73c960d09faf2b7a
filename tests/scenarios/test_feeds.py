"""Feeds: the rows of CSV files and JSON lines, who gets which, and what is said of a file with a fault."""

from pathlib import Path

import pytest

from bench.scenarios.feeds import DealtRows, Feed, FeedError
from bench.timing.rates import Share

CSV = 'name,text\nAda,"one, two"\n\nBea,"a ""quoted"" line\nand another"\nÇem,\n'


def feed_of(folder: Path, content: str | bytes, name: str = "users.csv", **settings: bool) -> Feed:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return (Feed.csv if name.endswith("csv") else Feed.jsonl)(path, **settings)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_rows_of_csv(tmp_path: Path, mark: str, line_end: str) -> None:
    rows = feed_of(tmp_path, mark + CSV.replace("\n", line_end)).rows()
    assert [rows[number] for number in range(len(rows))] == [
        {"name": "Ada", "text": "one, two"},
        {"name": "Bea", "text": f'a "quoted" line{line_end}and another'},
        {"name": "Çem", "text": ""},
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rows_of_json_lines(tmp_path: Path, mark: str) -> None:
    rows = feed_of(tmp_path, mark + '{"name": "Ada", "rooms": [1]}\n\n{"name": "Çem"}', "users.jsonl").rows()
    assert [rows[number] for number in range(len(rows))] == [{"name": "Ada", "rooms": [1]}, {"name": "Çem"}]


def test_a_relative_path_begins_at_the_file_that_names_it(tmp_path: Path) -> None:
    here = Path(__file__).parent
    assert Feed.csv("users.csv", unique=True, delimiter=";") == Feed(here / "users.csv", "csv", True, False, ";")
    assert Feed.jsonl(tmp_path / "users", at_random=True) == Feed(tmp_path / "users", "jsonl", False, True)
    with pytest.raises(ValueError, match=r"users.csv: unique rows are dealt in turn"):
        Feed.csv("users.csv", unique=True, at_random=True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "a.csv is empty: its first line has to name the columns"),
        ("b.csv", "name,mail\n", "b.csv has no rows"),
        ("c.csv", "name,mail\nAda,a@b\nBea\n", "c.csv, line 3: expected 2 values, and found 1"),
        ("d.csv", 'name,text\nAda,"a\nb"\nBea,"open\n', "d.csv, line 4: it is no CSV: unexpected end of data"),
        ("e.csv", b"name\nAda\n\xe9\n", "e.csv, line 3: it is not in UTF-8"),
        ("f.csv", "name,name\nAda,Bea\n", "f.csv, line 1: 'name' cannot be the name of a column"),
        ("g.csv", "name,\nAda,Bea\n", "g.csv, line 1: '' cannot be the name of a column"),
        ("a.jsonl", "\n", "a.jsonl has no rows"),
        ("b.jsonl", '{"name": "Ada"}\n{"name":\n', "b.jsonl, line 2: it is no JSON: "),
        ("c.jsonl", '{"name": "Ada"}\n["Bea"]\n', 'c.jsonl, line 2: expected an object, as in {"name": "Ada"}'),
        ("d.jsonl", b'{"name": "\xe9"}\n', "d.jsonl, line 1: it is no JSON: "),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(FeedError) as raised:
        feed_of(tmp_path, content, name).rows()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(FeedError, match=f"^{path} cannot be read: "):
            Feed(path, "csv").rows()


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    rows = feed_of(tmp_path, CSV).rows()
    (tmp_path / "users.csv").write_text(CSV + "Dan,x\n")
    with pytest.raises(FeedError, match=r"users.csv has changed since the run began"):
        rows[0]
    again = Feed.csv(tmp_path / "users.csv").rows()
    assert [again[number]["name"] for number in range(len(again))] == ["Ada", "Bea", "Çem", "Dan"]


def numbers() -> str:
    return "number\n" + "".join(f"{number}\n" for number in range(7))


def taken(dealt: DealtRows, count: int) -> list[int]:
    return [int(dealt.take()["number"]) for _ in range(count)]


def test_no_row_of_a_unique_feed_is_given_twice(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, numbers(), unique=True)
    over_all = iter(range(9))
    first, second = (DealtRows(feed, Share(index, 2), "seed", lambda: next(over_all)) for index in range(2))
    assert [taken(first, 4), taken(second, 2), taken(first, 1)] == [[0, 1, 2, 3], [4, 5], [6]]
    alone = DealtRows(feed, Share(0, 1), "seed")
    assert taken(alone, 7) == list(range(7))
    for dealt in (first, second, alone):
        with pytest.raises(
            FeedError, match=r"users.csv has 7 rows, each for one user, and there are more users: give it more rows"
        ):
            dealt.take()


def test_shared_rows_are_given_in_turn_or_at_random(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, numbers())
    assert taken(DealtRows(feed, Share(1, 2), "seed"), 8) == [1, 3, 5, 0, 2, 4, 6, 1]
    drawn = feed_of(tmp_path, numbers(), "drawn.csv", at_random=True)
    first, again, other = (taken(DealtRows(drawn, Share(index, 2), "seed"), 50) for index in (0, 0, 1))
    assert first == again != other
    assert set(first) == set(range(7))
