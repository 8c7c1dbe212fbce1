"""How an instance comes into its application's group: by which protocol, and in whose place."""

from dataclasses import replace

import structlog
from confluent_kafka import KafkaException

from tailrace.client import GroupProtocolUnsupported, InstanceUnreleased, has_consumer_protocol, release_instance
from tailrace.streams.config import StreamsConfig
from tailrace.streams.member import instance_id

log = structlog.get_logger("tailrace.streams")


class Joining:
    """Attempts to join, each of which may be refused for another reason."""

    def __init__(self, application: str, config: StreamsConfig) -> None:
        self._application = application
        self._may_choose = config.group_protocol == "auto"
        self._config = replace(config, group_protocol="consumer") if self._may_choose else config
        self._has_asked = False

    def config(self) -> StreamsConfig:
        """That of the instance, with the protocol of the next attempt instead of "auto".

        Raises BrokerUnreachable, or GroupProtocolUnsupported when there is no choice and the cluster does not know it.
        """
        if self._config.group_protocol == "consumer" and not self._has_asked:
            if not has_consumer_protocol(self._config.bootstrap_servers):
                self._use_classic("the cluster does not know KIP-848")
            self._has_asked = True
        return self._config

    def refused(self, refusal: InstanceUnreleased | GroupProtocolUnsupported) -> bool:
        """Make the next attempt another one; give whether it should come at once.

        Raises GroupProtocolUnsupported when there is no choice of protocols.
        """
        if isinstance(refusal, InstanceUnreleased):
            return self._take_place()
        self._use_classic(str(refusal))
        return True

    def _use_classic(self, reason: str) -> None:
        if not self._may_choose:
            raise GroupProtocolUnsupported(
                f'{self._application} cannot join its group with StreamsConfig(group_protocol="consumer"): {reason}; '
                'with "auto" it would use "classic" then'
            )
        log.info("using the classic group protocol", application=self._application, reason=reason)
        self._config = replace(self._config, group_protocol="classic")

    def _take_place(self) -> bool:
        """Take the place of the instance's former self, which was killed, or let it be taken when its session ends."""
        application, config = self._application, self._config
        told = {"application": application, "instance": config.instance}
        try:
            release_instance(config.bootstrap_servers, application, instance_id(application, config))
        except KafkaException as error:
            log.warning("waiting until an instance that did not leave is given up", reason=str(error), **told)
            return False
        log.info("taking the place of an instance that did not leave", **told)
        return True
