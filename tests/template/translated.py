"""The template as CloudFormation sees it: translated, its parameters, conditions and references resolved.

References become the names and ARNs that a deployment would have, so that tests can ask what a deployed stack
would do. An intrinsic function or an attribute that is not known here is an error, never a guess.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lapse import project

REGION = "eu-west-1"
ACCOUNT = "111122223333"
_PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "stack",
}
_NOTHING = object()
_TRANSLATE = Path(__file__).with_name("sam_translate.py")
_NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::ScheduleGroup": "Name",
}
"""The property that names a resource; a resource without it is named by CloudFormation."""
_ARNS = {
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:%s",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/%s",
    "AWS::Events::EventBus": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/%s",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/%s",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/%s",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/%s",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:%s",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:%s:*",
    "AWS::S3::Bucket": "arn:aws:s3:::%s",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:%s",
    "AWS::Scheduler::ScheduleGroup": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/%s",
}


@dataclass(frozen=True)
class Resource:
    """A resource that a deployment would have, its properties resolved."""

    id: str
    type: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]
    arn: str
    ref: str

    def __getitem__(self, name: str) -> Any:
        """A property."""
        return self.properties[name]


class Deployment:
    """What a deployment with these parameters would consist of."""

    def __init__(self, translated: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        """Resolve a translated template."""
        self.raw = translated
        self._given = parameters

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        """The resources whose conditions hold, by logical id."""
        return {name: self._resource(name) for name in self.present}

    @cached_property
    def present(self) -> Mapping[str, Any]:
        """The same, unresolved."""
        return {name: it for name, it in self.raw["Resources"].items() if self._is_wanted(it)}

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """The outputs whose conditions hold."""
        wanted = {name: it for name, it in self.raw["Outputs"].items() if self._is_wanted(it)}
        return {name: self._resolve(it["Value"]) for name, it in wanted.items()}

    def of_type(self, type_: str) -> list[Resource]:
        """All resources of a type."""
        return [each for each in self.resources.values() if each.type == type_]

    def __getitem__(self, name: str) -> Resource:
        """A resource by its logical id."""
        return self.resources[name]

    def needs(self) -> Mapping[str, set[str]]:
        """Which resource is created after which others."""
        return {
            name: {each for each in _referred_to(self._wanted_branches(it)) if each in self.present}
            for name, it in self.present.items()
        }

    def _wanted_branches(self, value: Any) -> Any:
        """The value with its `Fn::If`s decided, so that only what is really referred to is left."""
        match value:
            case {"Fn::If": [condition, yes, no]}:
                return self._wanted_branches(yes if self._holds(condition) else no)
            case dict():
                return {name: self._wanted_branches(each) for name, each in value.items()}
            case list():
                return [self._wanted_branches(each) for each in value]
        return value

    def _is_wanted(self, it: Mapping[str, Any]) -> bool:
        return "Condition" not in it or self._holds(it["Condition"])

    def _holds(self, condition: str) -> bool:
        holds = self._resolve(self.raw["Conditions"][condition])
        assert isinstance(holds, bool)
        return holds

    def _resource(self, name: str) -> Resource:
        it = self.present[name]
        arn = self._arn(name) if it["Type"] in _ARNS else ""
        properties = self._resolve(it.get("Properties", {}))
        return Resource(name, it["Type"], properties, it, arn, self._ref(name))

    def _parameter(self, name: str) -> Any:
        parameter = self.raw["Parameters"][name]
        value = str(self._given.get(name, parameter["Default"]))
        return value.split(",") if parameter["Type"] == "CommaDelimitedList" else value

    def _name(self, resource: str) -> str:
        it = self.present[resource]
        named = it.get("Properties", {}).get(_NAMES.get(it["Type"], ""))
        return str(self._resolve(named)) if named else f"stack-{resource}"

    def _ref(self, name: str) -> Any:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.raw["Parameters"]:
            return self._parameter(name)
        if self.present[name]["Type"] == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self._name(name)}"
        return self._name(name)

    def _arn(self, name: str) -> str:
        it = self.present[name]
        bus = it["Properties"].get("EventBusName") if it["Type"] == "AWS::Events::Rule" else None
        within = f"{self._resolve(bus)}/" if bus else ""
        return _ARNS[it["Type"]] % (within + self._name(name))

    def _attribute(self, name: str, attribute: str) -> Any:
        match self.present[name]["Type"], attribute:
            case _, "Arn":
                return self._arn(name)
            case "AWS::SQS::Queue", "QueueName":
                return self._name(name)
        raise NotImplementedError(f"{name}.{attribute}")

    def _resolve(self, value: Any) -> Any:
        match value:
            case dict() if len(value) == 1 and (name := next(iter(value))).startswith(("Fn::", "Ref")):
                return self._call(name, value[name])
            case dict():
                resolved = {name: self._resolve(each) for name, each in value.items()}
                return {name: each for name, each in resolved.items() if each is not _NOTHING}
            case list():
                return [each for each in map(self._resolve, value) if each is not _NOTHING]
        return value

    def _call(self, function: str, given: Any) -> Any:  # noqa: PLR0911 -- a line for each intrinsic function
        match function, given:
            case "Ref", str(name):
                return self._ref(name)
            case "Fn::GetAtt", [name, attribute]:
                return self._attribute(name, attribute)
            case "Fn::Sub", str(text):
                return self._substitute(text, {})
            case "Fn::Sub", [text, names]:
                return self._substitute(text, self._resolve(names))
            case "Fn::If", [condition, yes, no]:
                return self._resolve(yes if self._holds(condition) else no)
            case "Fn::Join", [separator, values]:
                return separator.join(self._resolve(values))
            case "Fn::Split", [separator, text]:
                return self._resolve(text).split(separator)
            case "Fn::Equals", [one, other]:
                return self._resolve(one) == self._resolve(other)
            case "Fn::Not", [condition]:
                return not self._resolve(condition)
        raise NotImplementedError(function)

    def _substitute(self, text: str, names: Mapping[str, Any]) -> str:
        def one(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if name in names:
                return str(names[name])
            return str(self._attribute(name, attribute) if attribute else self._ref(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", one, text)


def _referred_to(value: Any) -> Iterator[str]:
    """What a resource refers to, by `Ref`, `Fn::GetAtt`, `Fn::Sub` or `DependsOn`."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), _]}:
            yield name
        case {"Fn::Sub": text}:
            written = text if isinstance(text, str) else text[0]
            yield from (name.partition(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", written))
            if not isinstance(text, str):
                yield from _referred_to(text[1])
        case dict():
            depends = value.get("DependsOn", [])
            yield from [depends] if isinstance(depends, str) else depends
            for each in value.values():
                yield from _referred_to(each)
        case list():
            for each in value:
                yield from _referred_to(each)


def deployment(**parameters: str) -> Deployment:
    """What a deployment with these parameters, and the defaults of all others, would consist of."""
    text = (project.ROOT / "template.yaml").read_text()
    return Deployment(_translated(text, json.dumps(parameters)), parameters)


@cache
def _translated(text: str, parameters: str) -> Mapping[str, Any]:
    python = project.SAM.with_name("python")
    request = json.dumps({"template": text, "parameters": json.loads(parameters)})
    done = subprocess.run(  # noqa: S603 -- the project's own tool, with a constant argument list
        [python, "-P", _TRANSLATE],
        input=request,
        env=project.clean_environment({"AWS_DEFAULT_REGION": REGION}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"SAM does not translate the template:\n{done.stderr[-2000:]}")
    translated: Mapping[str, Any] = json.loads(done.stdout)
    return translated
