"""The command `tailrace broker`."""

from pathlib import Path
from typing import Annotated

import typer

from tailrace.broker.config import BrokerConfig, Flush
from tailrace.broker.security.config import ClientAuth, Mechanism, SecurityProtocol
from tailrace.lean import NOT_NEEDED, lean
from tailrace.logs import LogFormat, LogLevel


def broker(
    config: Annotated[
        Path | None, typer.Option(help="File of settings, in Kafka's server.properties format.", dir_okay=False)
    ] = None,
    override: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A setting as in the file; can be repeated.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Directory of the broker's data, owned by one broker.", show_default=str(BrokerConfig.data)),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default=BrokerConfig.host)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 picks a free one.", show_default=str(BrokerConfig.port))
    ] = None,
    advertised_host: Annotated[
        str | None, typer.Option(help="Host name that clients are told, if not the one listened on.")
    ] = None,
    flush: Annotated[
        Flush | None,
        typer.Option(
            help="'fsync' survives power failures, 'kafka' leaves writing to the system.",
            show_default=BrokerConfig.flush.value,
        ),
    ] = None,
    partitions_default: Annotated[
        int | None,
        typer.Option(
            help="Partitions of a topic that is created without a number.",
            show_default=str(BrokerConfig.num_partitions),
        ),
    ] = None,
    auto_create_topics: Annotated[
        bool | None,
        typer.Option(
            "--auto-create-topics/--no-auto-create-topics",
            help="Create topics when a client asks for them (auto.create.topics.enable).",
            show_default="no",
        ),
    ] = None,
    rebalance_delay_ms: Annotated[
        int | None,
        typer.Option(
            help="How long a new group waits for more members.",
            show_default=str(BrokerConfig.group_initial_rebalance_delay_ms),
        ),
    ] = None,
    security_protocol: Annotated[
        SecurityProtocol | None,
        typer.Option(help="What clients set as security.protocol.", show_default=BrokerConfig.security_protocol.value),
    ] = None,
    ssl_keystore_location: Annotated[
        Path | None, typer.Option(help="PEM file with private key and certificate chain.")
    ] = None,
    ssl_key_password: Annotated[
        str | None,
        typer.Option(help="Opens the private key.", envvar="SSL_KEY_PASSWORD", show_default=False),
    ] = None,
    ssl_truststore_location: Annotated[
        Path | None, typer.Option(help="PEM file with the authorities that sign clients' certificates.")
    ] = None,
    ssl_client_auth: Annotated[
        ClientAuth | None,
        typer.Option(help="Whether clients must show a certificate.", show_default=BrokerConfig.ssl_client_auth.value),
    ] = None,
    sasl_enabled_mechanisms: Annotated[
        list[Mechanism] | None, typer.Option(help="How clients may log in; again for more.", show_default="all")
    ] = None,
    acls: Annotated[
        bool | None, typer.Option("--acls/--no-acls", help="Allow only what ACLs allow.", show_default="no")
    ] = None,
    super_users: Annotated[
        list[str] | None, typer.Option(help="Who may do everything, such as User:admin; again for more.")
    ] = None,
    allow_everyone_if_no_acl_found: Annotated[
        bool | None,
        typer.Option(
            "--allow-everyone-if-no-acl-found/--no-allow-everyone-if-no-acl-found",
            help="With --acls, let everybody use what no ACL is about.",
            show_default="no",
        ),
    ] = None,
    address_file: Annotated[
        Path | None, typer.Option(help="File that gets host:port when the broker is ready.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            help="Port of /metrics (Prometheus) and /ready; 0 picks a free one, which is written to the address file's "
            "name with .metrics behind it.",
            show_default="off",
        ),
    ] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="How log lines look.", show_default="console")] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="The least that is logged.", show_default="info")] = None,
) -> None:
    """Run a one-node broker that speaks the Kafka protocol.

    What the command line says wins over the file given with --config. The file has the names of Kafka's
    server.properties, one `name=value` a line.

    Examples:

      tailrace broker --data /var/lib/tailrace --port 9092

      tailrace broker --config server.properties --override num.partitions=3

      tailrace broker --port 0 --address-file address --metrics-port 0
    """
    given = {
        "data": data,
        "host": host,
        "port": port,
        "advertised_host": advertised_host,
        "flush": flush,
        "num_partitions": partitions_default,
        "auto_create_topics_enable": auto_create_topics,
        "group_initial_rebalance_delay_ms": rebalance_delay_ms,
        "security_protocol": security_protocol,
        "ssl_keystore_location": ssl_keystore_location,
        "ssl_key_password": ssl_key_password,
        "ssl_truststore_location": ssl_truststore_location,
        "ssl_client_auth": ssl_client_auth,
        "sasl_enabled_mechanisms": tuple(sasl_enabled_mechanisms) if sasl_enabled_mechanisms else None,
        "acls": acls,
        "super_users": tuple(super_users) if super_users else None,
        "allow_everyone_if_no_acl_found": allow_everyone_if_no_acl_found,
        "address_file": address_file,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "log_level": log_level,
    }
    with lean(*NOT_NEEDED):
        from tailrace.broker.process import start
    start(config, override or (), {name: value for name, value in given.items() if value is not None})
