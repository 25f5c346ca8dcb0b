# The bases by tag. A build that is to be the same next year pins them: add the digests that
# "docker buildx imagetools inspect IMAGE" prints, as IMAGE:TAG@sha256:…, here or by --build-arg.
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim
ARG BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

# Nothing in here depends on the processor: whoever builds for others builds this on their own.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# A registry or an authority of one's own, with a login, is handed in by --secret id=npmrc,src=FILE and
# stays out of every layer.
RUN --mount=type=secret,id=npmrc NPM_CONFIG_USERCONFIG=/run/secrets/npmrc \
    npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json
# What the server needs and no more; Node itself comes with the base.
RUN npm prune --ignore-scripts --omit=dev --omit=optional --no-audit --no-fund
RUN mkdir -p /image/app /image/data
RUN cp -R package.json node_modules dist /image/app/

FROM ${BASE_IMAGE}
COPY --from=build /image/app /app
COPY LICENSE /app/
COPY config/layover.yaml /app/config/
# Empty, and theirs: a new volume takes its owner from it.
COPY --from=build --chown=65532:65532 /image/data /data
# The default of storage.path, ./data, is the volume.
WORKDIR /
USER 65532:65532
# As bin/layover has them, and why: there is no shell to run it.
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=16 \
    MALLOC_ARENA_MAX=2 \
    MALLOC_TRIM_THRESHOLD_=268435456
LABEL org.opencontainers.image.title=layover \
      org.opencontainers.image.description="A caching pull-through mirror for container registries." \
      org.opencontainers.image.licenses=Apache-2.0
EXPOSE 8080
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
    CMD ["/nodejs/bin/node", "/app/dist/main.js", "health"]
ENTRYPOINT ["/nodejs/bin/node", "--disable-warning=ExperimentalWarning", "--max-semi-space-size=2", "/app/dist/main.js"]
CMD ["serve"]
