# Stand-in for the official image of an exporter: our prober's image, which has a client of each engine.
ARG SERVICE_IMAGE
FROM ${SERVICE_IMAGE}
ARG EXPORTS
COPY exporter.py /exporter.py
ENV EXPORTS=${EXPORTS}
HEALTHCHECK NONE
ENTRYPOINT ["python", "/exporter.py"]
