"""How to start each peer: `PEERS["Kafka Streams"].argv(Run("fraud", ...))`, in the folder above `benchmarks`."""

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.peers.arguments import JOBS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
JAVA_PEER = HERE / "kafka_streams"


@dataclass(frozen=True)
class Run:
    """One run of a job: the topics exist with 4 partitions, and the subjects `TOPIC-value` are registered."""

    job: str
    bootstrap_servers: str
    registry: str
    application: str
    input: str
    output: str
    state: Path
    table: str | None = None

    def argv(self, variant: str) -> list[str]:
        """The arguments that all peers take."""
        options = {
            "bootstrap-servers": self.bootstrap_servers,
            "registry": self.registry,
            "application": self.application,
            "input": self.input,
            "output": self.output,
            "state": str(self.state),
            "variant": variant,
        }
        if self.table is not None:
            options["table"] = self.table
        return [self.job, *(word for name, value in options.items() for word in (f"--{name}", value))]


class Peer(ABC):
    """A command that does the jobs."""

    name: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ("default", "tuned")
    jobs: ClassVar[tuple[str, ...]] = JOBS

    @abstractmethod
    def available(self) -> str | None:
        """Say why it cannot be started here; None when it can."""

    @abstractmethod
    def command(self, variant: str) -> list[str]:
        """The command without arguments."""

    def exactly_once(self, variant: str) -> bool:
        """Whether a crash leaves no trace in what comes out."""
        return True

    def argv(self, run: Run, variant: str = "") -> list[str]:
        """The whole command; the first variant is the default."""
        variant = variant or self.variants[0]
        return [*self.command(variant), *run.argv(variant)]


class KafkaStreams(Peer):
    """In Java; built on first use."""

    name = "Kafka Streams"

    def available(self) -> str | None:
        """Java, and Maven unless it is built."""
        if shutil.which("java") is None:
            return "Java is not installed; run 'make provision'"
        if not _built().exists() and shutil.which("mvn") is None:
            return "Maven is not installed; run 'make provision'"
        return None

    def command(self, variant: str) -> list[str]:
        """The plain JVM, with the memory that an application of this size is given."""
        build()
        options = ["-Xms256m", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        if variant == "tuned":
            options.append("-Dorg.apache.avro.specific.use_custom_coders=true")  # generated code, not reflection
        return ["java", *options, "-cp", f"{_built().parent}/*:{JAVA_PEER}/target/libs/*", "Peer"]


class PythonPeer(Peer):
    """In Python, with the environment of the peers."""

    module: ClassVar[str]

    def available(self) -> str | None:
        """The environment."""
        return None if PYTHON.exists() else "the peers are not installed; run 'make peers'"

    def command(self, variant: str) -> list[str]:
        """The module, to be run from the root."""
        return [str(PYTHON), "-m", f"benchmarks.peers.{self.module}"]


class Quix(PythonPeer):
    """Quix Streams."""

    name = "Quix Streams"
    module = "quix"


class Faust(PythonPeer):
    """faust-streaming."""

    name = "Faust"
    module = "faust_"

    def exactly_once(self, variant: str) -> bool:
        """It is told to, and is not."""
        return False


class Bytewax(PythonPeer):
    """Bytewax."""

    name = "Bytewax"
    module = "bytewax_"

    def exactly_once(self, variant: str) -> bool:
        """Its sink is not."""
        return False


class Raw(Peer):
    """The limit: librdkafka alone, of the version that tailrace uses. It copies, whatever the job is."""

    name = "copy"
    variants = ("transactional", "plain")

    def available(self) -> str | None:
        """It needs nothing of its own."""
        return None

    def exactly_once(self, variant: str) -> bool:
        """With transactions."""
        return variant == "transactional"

    def command(self, variant: str) -> list[str]:
        """The module, to be run from the root."""
        return [sys.executable, "-m", "benchmarks.peers.raw"]


PEERS: dict[str, Peer] = {peer.name: peer for peer in (KafkaStreams(), Quix(), Faust(), Bytewax(), Raw())}


def build() -> None:
    """Build the application of Kafka Streams, of the version that the broker has, unless it is there."""
    sources = [JAVA_PEER / "pom.xml", *HERE.glob("*.avsc"), *JAVA_PEER.glob("src/**/*.java")]
    if _built().exists() and _built().stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return
    goals = ["clean", "dependency:copy-dependencies", "package"]  # the jar comes last: it marks the rest as whole
    argv = ["mvn", "-B", "-q", "--strict-checksums", f"-Dkafka.version={_kafka_version()}", *goals]
    done = subprocess.run(argv, cwd=JAVA_PEER, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"Maven could not build {JAVA_PEER.name}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")


def _built() -> Path:
    return JAVA_PEER / "target" / "kafka-streams-peer-1.jar"


def _kafka_version() -> str:
    pom = ElementTree.parse(ROOT / "tools" / "kafka" / "pom.xml")
    version = pom.findtext("properties/kafka.version")
    assert version is not None
    return version


if __name__ == "__main__":
    build()
