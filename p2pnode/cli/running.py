"""Runs a command against a running node and turns every expected failure into a sentence."""

import argparse
import os
from collections.abc import Mapping
from http import HTTPStatus

from p2pnode.cli.endings import BadInput, CannotWrite, Ending
from p2pnode.cli.output import complain
from p2pnode.client import (
    BadContent,
    Client,
    ClientError,
    JobFailed,
    NodeUnreachable,
    Refused,
    TimedOut,
    find_endpoint,
)
from p2pnode.job_file import JobFileError
from p2pnode.money import MoneyError
from p2pnode.settings import SettingsError
from protocol.errors import Reason

BAD_REQUESTS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
LOCKED_OUT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def run_command(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed and return its exit code."""
    try:
        endpoint = find_endpoint(arguments.api, arguments.data_dir, os.environ)
        with Client(endpoint.address, endpoint.token) as client:
            return int(arguments.handler(client, arguments))
    except ClientError as error:
        complain(_sentence(error))
        return ending_of(error)
    except (BadInput, JobFileError, MoneyError, SettingsError) as error:
        complain(str(error))
        return Ending.BAD_INPUT
    except CannotWrite as error:
        complain(str(error))
        return Ending.FAILED


def ending_of(error: ClientError) -> Ending:
    """Choose the exit code for a failure."""
    if isinstance(error, Refused):
        return _ending_of_refusal(error)
    codes: Mapping[type[ClientError], Ending] = {
        NodeUnreachable: Ending.UNREACHABLE,
        TimedOut: Ending.TIMED_OUT,
        BadContent: Ending.BAD_INPUT,
        JobFailed: Ending.NOT_ACCEPTED,
    }
    return codes.get(type(error), Ending.FAILED)


def _ending_of_refusal(error: Refused) -> Ending:
    if error.status in LOCKED_OUT:
        return Ending.UNREACHABLE
    if error.code.upper() in Reason.__members__:
        return Ending.REFUSED
    if error.status in BAD_REQUESTS:
        return Ending.BAD_INPUT
    return Ending.FAILED if error.status >= 500 else Ending.REFUSED


def _sentence(error: ClientError) -> str:
    return f"{error} [{error.code}]" if isinstance(error, Refused) else str(error)
