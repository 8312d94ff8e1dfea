"""The shape of the code: short modules and functions, honest names, docstrings and return annotations everywhere."""

from collections.abc import Callable

from house import shapes
from house.sources import Tree

Sample = Callable[[dict[str, str]], Tree]


def test_no_module_is_longer_than_400_lines(tree: Tree) -> None:
    assert shapes.long_modules(tree) == []


def test_a_module_of_401_lines_is_found(sample: Sample) -> None:
    assert len(shapes.long_modules(sample({"labs/a.py": "x = 1\n" * 401, "labs/b.py": "x = 1\n" * 400}))) == 1


def test_no_function_is_longer_than_60_lines(tree: Tree) -> None:
    assert shapes.long_functions(tree) == []


def test_a_function_of_61_lines_is_found_wherever_it_hides(sample: Sample) -> None:
    body = "        x = 1\n" * 60
    files = {"labs/a.py": f"class A:\n    async def long(self):\n{body}", "labs/b.py": "def short():\n    return 1\n"}
    assert [finding.split(": ")[1] for finding in shapes.long_functions(sample(files))] == [
        "long has 61 lines, at most 60"
    ]


def test_the_typical_function_and_module_stay_small(tree: Tree) -> None:
    middle, long = shapes.typical_function(tree)
    assert middle <= 9
    assert long <= 30
    assert shapes.typical_module(tree) <= 110


def test_a_tree_of_long_functions_shows_in_the_typical_length(sample: Sample) -> None:
    files = {"labs/a.py": "def f():\n" + "    x = 1\n" * 120}
    bad = sample(files)
    assert shapes.typical_function(bad)[0] > 9
    assert shapes.typical_module(bad) > 110


def test_every_function_says_what_it_returns(tree: Tree) -> None:
    assert shapes.unannotated_returns(tree) == []


def test_a_missing_return_annotation_is_found_in_methods_and_nested_functions(sample: Sample) -> None:
    code = "class A:\n    def f(self) -> None:\n        def g():\n            pass\n"
    assert shapes.unannotated_returns(sample({"tests/x/test_a.py": code})) == [
        "tests/x/test_a.py:3: g does not say what it returns"
    ]


def test_every_module_says_what_it_owns(tree: Tree) -> None:
    assert shapes.thin_docstrings(tree) == []


def test_a_missing_docstring_and_a_mere_title_are_found(sample: Sample) -> None:
    files = {
        "labs/none.py": "x = 1\n",
        "labs/title.py": '"""The bus."""\n',
        "labs/good.py": '"""The bus between nodes: owns the channel names and leaves what is sent to its callers."""\n',
    }
    assert [finding.split(":")[0] for finding in shapes.thin_docstrings(sample(files))] == [
        "labs/none.py",
        "labs/title.py",
    ]


def test_no_module_or_folder_is_named_after_nothing(tree: Tree) -> None:
    assert shapes.vague_names(tree) == []


def test_vague_names_are_found_as_module_and_as_folder(sample: Sample) -> None:
    files = {"labs/utils.py": "", "labs/common/a.py": "", "labs/_helpers.py": "", "labs/commons_of_goods.py": ""}
    assert len(shapes.vague_names(sample(files))) == 3


def test_operator_and_tests_are_no_packages(tree: Tree) -> None:
    assert shapes.stray_packages(tree) == []


def test_an_init_file_in_operator_or_tests_is_found_and_one_in_a_package_is_not(sample: Sample) -> None:
    files = {"operator/__init__.py": "", "operator/signalink_operator/__init__.py": "", "tests/log/__init__.py": ""}
    assert len(shapes.stray_packages(sample(files))) == 2
