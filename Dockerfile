# syntax=docker/dockerfile:1
# The chatbot as one image. It writes to /data (bots, converted models, a SQLite journal) and /tmp only, so that its root
# file system can be read-only, and runs as a user of its own. compose.yaml runs it beside PostgreSQL:
#
#   docker build --tag chatbot .
#   docker run --rm --volume chatbot:/data --volume "$PWD/data/demo:/import:ro" chatbot \
#     train --pairs /import/pairs_en.csv /import/pairs_zh.csv --index /data/bot
#   docker run --rm --volume chatbot:/data --publish 127.0.0.1:7860:7860 chatbot

FROM python:3.11-slim AS build
RUN python -m venv /opt/chatbot
ENV PATH=/opt/chatbot/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt ./
# PyTorch without CUDA, which its own index has: gigabytes less; everything else comes from PyPI
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-deps --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY chatbot ./chatbot
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt '.[postgres]'

FROM python:3.11-slim
RUN groupadd --gid 10001 chatbot \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin chatbot \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/chatbot /opt/chatbot
ENV PATH=/opt/chatbot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/data \
    XDG_CACHE_HOME=/data/.cache \
    HF_HOME=/data/.cache/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib \
    GRADIO_TEMP_DIR=/tmp/gradio \
    CHATBOT_CACHE=/data/models \
    CHATBOT_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 7860
# the first start converts models, which takes minutes
HEALTHCHECK --interval=15s --timeout=5s --start-period=600s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:7860/health/ready', timeout=4)"]
ENTRYPOINT ["chatbot"]
CMD ["serve", "--index", "/data/bot", "--host", "0.0.0.0", "--port", "7860"]
