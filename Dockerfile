# docker build -t lowshot .
# docker run -p 8000:8000 -v galleries:/galleries -e LOWSHOT_KEYS="write $(openssl rand -hex 24)" lowshot
#
# The `photos` encoder is not inside (it is made with torch); mount its file, or any other, and give --encoder FILE.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
RUN python -m venv /opt/lowshot \
    && /opt/lowshot/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve,milvus]'

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 lowshot && install -d -o lowshot -g lowshot /galleries
COPY --from=build /opt/lowshot /opt/lowshot
ENV PATH=/opt/lowshot/bin:$PATH PYTHONUNBUFFERED=1
USER lowshot
WORKDIR /galleries
VOLUME /galleries
EXPOSE 8000
# /healthz answers to any Host where there are keys, and without keys the service would not listen beyond the container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as ask; ask.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["lowshot", "serve", "--host", "0.0.0.0"]
CMD ["/galleries/main.gallery"]
