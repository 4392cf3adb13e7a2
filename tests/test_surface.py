"""What is public: its names, and that each is documented."""

import inspect

import pytest

import jaxsched as js
from jaxsched import curves, search

from .documents import KINDS, TABLES, constructors, rewritten, sections


FUNCTIONS = {name: f for kind in KINDS for name, f in constructors(kind).items()}
RECIPES = constructors("Recipes")
SEARCH = {
    name: found
    for module in (search, search.tasks)
    for name, found in vars(module).items()
    if inspect.isfunction(found)
}


@pytest.mark.parametrize("document", TABLES, ids=lambda path: path.name)
def test_documents_show_the_code_as_it_is(document):
    text = document.read_text()
    assert rewritten(document) == text, "run `python -m tests.documents`"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_schedule_is_public(name):
    assert getattr(js, name) is FUNCTIONS[name]


@pytest.mark.parametrize(
    "function", [*FUNCTIONS.values(), *SEARCH.values()], ids=[*FUNCTIONS, *SEARCH]
)
def test_every_function_is_documented(function):
    parts, signature = sections(function), inspect.signature(function)
    assert ">>>" in parts["Example"]
    assert "Returns" in parts or signature.return_annotation is None
    for parameter in signature.parameters:
        assert f"{parameter}: " in parts["Args"], f"`{parameter}` is not explained"


@pytest.mark.parametrize("function", RECIPES.values(), ids=RECIPES)
def test_every_recipe_has_its_source(function):
    assert "https://" in sections(function)["Source"]


@pytest.mark.parametrize("function", RECIPES.values(), ids=RECIPES)
def test_recipes_take_keywords_after_the_rates_they_start_with(function):
    parameters = inspect.signature(function).parameters
    positional = [
        name for name, p in parameters.items() if p.kind is not p.KEYWORD_ONLY
    ]
    assert positional in ([], ["peak"], ["start"], ["low", "high"])


@pytest.mark.parametrize("curve", curves.Curve.__subclasses__())
def test_every_curve_is_a_formula(curve):
    assert inspect.getdoc(curve).startswith("`")


def test_no_method_makes_optax_take_a_schedule_for_a_stateful_one():
    assert not hasattr(js.Schedule, "init")
    assert not hasattr(js.Schedule, "update")


def test_public_names_are_these():
    public = {name for name in dir(js) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(js, name))}
    classes = {name for name in public if inspect.isclass(getattr(js, name))}
    others = public - modules - classes - FUNCTIONS.keys()
    assert others == {
        "ScheduleLike",
        "as_arrays",
        "as_function",
        "as_schedule",
        "check",
        "from_config",
        "to_config",
    }
    assert all(issubclass(getattr(js, name), js.Schedule | tuple) for name in classes)
