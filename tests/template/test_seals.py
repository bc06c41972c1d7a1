"""Who can sign, and what can become of a seal: what auditors rely on."""

from collections.abc import Mapping
from typing import Any

from tests.template.conftest import FUNCTIONS
from tests.template.iam import Request, allowed_to, applies, listed
from tests.template.translated import ACCOUNT, Deployment

SEAL, PUBLIC_KEY = "seals/0000000001.json", "keys/0.pem"


def refused(stack: Deployment, action: str, **context: str) -> bool:
    """Whether the bucket refuses it, whoever asks: of a seal and of a public key alike."""
    policy: Any = stack["SealBucketPolicy"]
    assert policy["Bucket"] == stack["SealBucket"].ref
    denying = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
    assert all(each["Principal"] == "*" for each in denying)
    asked = [
        Request(action, f"{stack['SealBucket'].arn}/{name}", {"aws:SecureTransport": "true", **context})
        for name in (SEAL, PUBLIC_KEY)
    ]
    (answer,) = {any(applies(each, request) for each in denying) for request in asked}
    return answer


def test_seals_are_locked_for_as_long_as_told(own: Deployment, everything: Deployment) -> None:
    """In compliance mode, which nobody can end; seven years by default."""
    for stack, days in ((own, "2557"), (everything, "3653")):
        bucket = stack["SealBucket"]
        assert bucket["ObjectLockEnabled"] is True
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        retention = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
        assert retention == {"Mode": "COMPLIANCE", "Days": days}


def test_seals_outlive_the_stack(any_stack: Deployment) -> None:
    """Bucket, its policy and the key are kept, to be verified by; but not what a failed creation made."""
    for name in ("SealBucket", "SealBucketPolicy", "SealKey"):
        assert any_stack[name].attributes["DeletionPolicy"] == "RetainExceptOnCreate"
        assert any_stack[name].attributes["UpdateReplacePolicy"] == "Retain"


def test_the_bucket_is_private_and_encrypted(any_stack: Deployment) -> None:
    """No access list, nothing public, TLS only."""
    bucket = any_stack["SealBucket"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert refused(any_stack, "s3:GetObject", **{"aws:SecureTransport": "false"})
    assert not refused(any_stack, "s3:GetObject")


def test_nothing_is_written_over_or_hidden(any_stack: Deployment) -> None:
    """A put must say that nothing is there; and nobody leaves a delete marker."""
    sealing = {"aws:PrincipalArn": any_stack["SealRole"].arn}
    assert refused(any_stack, "s3:PutObject", **sealing)
    assert not refused(any_stack, "s3:PutObject", **sealing, **{"s3:if-none-match": "*"})
    assert refused(any_stack, "s3:DeleteObject", **sealing, **{"s3:if-none-match": "*"})


def test_nobody_else_puts_anything_beside_the_seals(any_stack: Deployment) -> None:
    """Whatever their own policies say: it could not be removed before its time."""
    for other in (
        any_stack["PurgeRole"].arn,
        f"arn:aws:iam::{ACCOUNT}:role/admin",
        f"arn:aws:iam::{ACCOUNT}:root",
    ):
        assert refused(any_stack, "s3:PutObject", **{"aws:PrincipalArn": other, "s3:if-none-match": "*"})


def test_only_the_sealing_uses_the_bucket(own: Deployment) -> None:
    """It writes seals and keys, reads seals, and can do no more."""
    bucket = own["SealBucket"].arn
    for action, resource, may in (
        ("s3:PutObject", f"{bucket}/{SEAL}", {"SealFunction"}),
        ("s3:PutObject", f"{bucket}/{PUBLIC_KEY}", {"SealFunction"}),
        ("s3:PutObject", f"{bucket}/other", set()),
        ("s3:GetObject", f"{bucket}/{SEAL}", {"SealFunction"}),
        ("s3:ListBucket", bucket, {"SealFunction"}),
        ("s3:PutObjectRetention", f"{bucket}/{SEAL}", set()),
        ("s3:BypassGovernanceRetention", f"{bucket}/{SEAL}", set()),
        ("s3:DeleteObjectVersion", f"{bucket}/{SEAL}", set()),
        ("s3:PutBucketObjectLockConfiguration", bucket, set()),
    ):
        assert allowed_to(own, FUNCTIONS, Request(action, resource)) == may, (action, resource)


def grants(stack: Deployment) -> list[Mapping[str, Any]]:
    statements: list[Mapping[str, Any]] = stack["SealKey"]["KeyPolicy"]["Statement"]
    return statements


def test_the_key_signs_and_never_leaves(any_stack: Deployment) -> None:
    """P-256, to sign and verify; not to be used for anything else."""
    key = any_stack["SealKey"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")


def test_only_the_sealing_signs(any_stack: Deployment) -> None:
    """By the key's own policy: the account's administrators may manage it, and IAM alone lets nobody sign.

    They could change the key's policy; CloudTrail would show it.
    """
    signing = [each for each in grants(any_stack) if "kms:Sign" in listed(each["Action"])]
    assert [each["Principal"] for each in signing] == [{"AWS": any_stack["SealRole"].arn}]
    assert all(not any("*" in action for action in listed(each["Action"])) for each in grants(any_stack))
    administrators = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    (managing,) = [each for each in grants(any_stack) if each["Principal"] == administrators]
    assert "kms:PutKeyPolicy" in managing["Action"]  # or the key could never be managed again
    assert set(signing[0]["Action"]) == {"kms:Sign", "kms:Verify", "kms:GetPublicKey"}
    request = Request("kms:Sign", any_stack["SealKey"].arn)
    assert allowed_to(any_stack, FUNCTIONS, request) == {"SealFunction"}
