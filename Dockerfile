# robot-rig on any machine with Docker: the same set-up as on Debian 12, once, inside an image.
#   docker build -t robot-rig .
#   docker run --rm -it -v "$PWD/runs:/robot-rig/runs" robot-rig make demo
FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /robot-rig
COPY . .
RUN PIP_NO_CACHE_DIR=1 make setup && rm -rf /var/lib/apt/lists/*
CMD ["make", "demo"]
