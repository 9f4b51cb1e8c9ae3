"""Django settings, all from the environment; `docs/settings.md` lists them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from noctis import env
from noctis.secret import read_secret_key
from noctis.static import add_headers

BASE_DIR = Path(__file__).resolve().parent.parent
NOCTIS_VERSION = "0.1.0"

# --- the home: everything that changes lives there ------------------------
NOCTIS_HOME = Path(env.read_text("NOCTIS_HOME", str(BASE_DIR))).expanduser().resolve()
MEDIA_ROOT = NOCTIS_HOME / "media"
QUEUE_ROOT = NOCTIS_HOME / "queue"
LOG_ROOT = NOCTIS_HOME / "logs"

NOCTIS_PRODUCTION = env.read_bool("NOCTIS_PRODUCTION", False)
DEBUG = env.read_bool("NOCTIS_DEBUG", False)
if NOCTIS_PRODUCTION and DEBUG:
    raise ImproperlyConfigured("NOCTIS_DEBUG must be off when NOCTIS_PRODUCTION is on.")
SECRET_KEY = read_secret_key(NOCTIS_HOME, required=NOCTIS_PRODUCTION)

# --- addresses -------------------------------------------------------------
NOCTIS_HTTP = env.read_address("NOCTIS_HTTP", "127.0.0.1:8000")
NOCTIS_DICOM = env.read_address("NOCTIS_DICOM", "127.0.0.1:11112")
NOCTIS_AET = env.read_text("NOCTIS_AET", "NOCTIS_SCP")
if len(NOCTIS_AET) > 16:
    raise ImproperlyConfigured("NOCTIS_AET must have at most 16 characters (PS3.5 6.2, AE).")
NOCTIS_UNKNOWN_AE = env.read_choice(
    "NOCTIS_UNKNOWN_AE",
    "quarantine" if env.is_loopback(NOCTIS_DICOM[0]) else "reject",
    ("quarantine", "reject"),
)
NOCTIS_PRIVATE_SOP_CLASSES = env.read_choice(
    "NOCTIS_PRIVATE_SOP_CLASSES", "accept", ("accept", "reject")
)
NOCTIS_DICOM_TLS = env.read_optional_address("NOCTIS_DICOM_TLS")
NOCTIS_DICOM_TLS_CERTIFICATE = env.read_text("NOCTIS_DICOM_TLS_CERTIFICATE")
NOCTIS_DICOM_TLS_KEY = env.read_text("NOCTIS_DICOM_TLS_KEY")
NOCTIS_DICOM_TLS_CA = env.read_text("NOCTIS_DICOM_TLS_CA")
NOCTIS_DICOM_TLS_CLIENTS = env.read_choice(
    "NOCTIS_DICOM_TLS_CLIENTS",
    "optional" if NOCTIS_DICOM_TLS_CA else "none",
    ("none", "optional", "required"),
)
NOCTIS_DICOM_TLS_PROFILE = env.read_choice(
    "NOCTIS_DICOM_TLS_PROFILE", "non-downgrading", ("non-downgrading", "extended")
)
if NOCTIS_DICOM_TLS and not NOCTIS_DICOM_TLS_CERTIFICATE:
    raise ImproperlyConfigured("NOCTIS_DICOM_TLS needs NOCTIS_DICOM_TLS_CERTIFICATE.")
if NOCTIS_DICOM_TLS_CLIENTS != "none" and not NOCTIS_DICOM_TLS_CA:
    raise ImproperlyConfigured("NOCTIS_DICOM_TLS_CLIENTS needs NOCTIS_DICOM_TLS_CA.")
NOCTIS_RECEIVER_PROCESSES = env.read_int("NOCTIS_RECEIVER_PROCESSES", 2, minimum=1)
NOCTIS_MAX_ASSOCIATIONS = env.read_int("NOCTIS_MAX_ASSOCIATIONS", 128, minimum=1)
NOCTIS_MAX_ASSOCIATIONS_PER_ADDRESS = env.read_int(
    "NOCTIS_MAX_ASSOCIATIONS_PER_ADDRESS", max(1, NOCTIS_MAX_ASSOCIATIONS // 2), minimum=1
)
NOCTIS_MAX_PDU = env.read_int("NOCTIS_MAX_PDU", 131072, minimum=4096)
NOCTIS_WORKLIST_STATIONS = env.read_choice("NOCTIS_WORKLIST_STATIONS", "asked", ("asked", "own"))
NOCTIS_WORKLIST_LIMIT = env.read_int("NOCTIS_WORKLIST_LIMIT", 1000, minimum=1)
NOCTIS_MAX_WAITING = env.read_int("NOCTIS_MAX_WAITING", 512, minimum=8)
NOCTIS_MAX_HANDSHAKES = env.read_int("NOCTIS_MAX_HANDSHAKES", 32, minimum=1)
NOCTIS_REQUEST_SECONDS = env.read_int("NOCTIS_REQUEST_SECONDS", 10, minimum=1)
NOCTIS_IDLE_SECONDS = env.read_int("NOCTIS_IDLE_SECONDS", 60, minimum=1)
NOCTIS_PDU_SECONDS = env.read_int("NOCTIS_PDU_SECONDS", 30, minimum=1)
NOCTIS_SLOWEST_KB_A_MINUTE = env.read_int("NOCTIS_SLOWEST_KB_A_MINUTE", 64)
NOCTIS_SILENT_SECONDS = env.read_int("NOCTIS_SILENT_SECONDS", 20, minimum=1)
NOCTIS_CONNECT_SECONDS = env.read_int("NOCTIS_CONNECT_SECONDS", 10, minimum=1)
NOCTIS_ANSWER_SECONDS = env.read_int("NOCTIS_ANSWER_SECONDS", 60, minimum=1)
NOCTIS_TRANSFERS = env.read_int("NOCTIS_TRANSFERS", 4, minimum=1)
NOCTIS_TRANSFER_ATTEMPTS = env.read_int("NOCTIS_TRANSFER_ATTEMPTS", 8, minimum=1)
NOCTIS_TRANSFER_HOURS = env.read_int("NOCTIS_TRANSFER_HOURS", 72, minimum=1)
NOCTIS_COMMITMENT_HOURS = env.read_int("NOCTIS_COMMITMENT_HOURS", 24, minimum=1)
NOCTIS_WEB_PROCESSES = env.read_int("NOCTIS_WEB_PROCESSES", 1, minimum=1)
NOCTIS_WORKER_PROCESSES = env.read_int("NOCTIS_WORKER_PROCESSES", 1, minimum=1)
NOCTIS_DISK_RESERVE_MB = env.read_int("NOCTIS_DISK_RESERVE_MB", -1, minimum=-1)
DICOM_MAX_FILE_SIZE = env.read_int("DICOM_MAX_FILE_SIZE", 2 << 30, minimum=1)
NOCTIS_MEMORY_CACHE_MB = env.read_int("NOCTIS_MEMORY_CACHE_MB", 256)
NOCTIS_DISK_CACHE_MB = env.read_int("NOCTIS_DISK_CACHE_MB", -1, minimum=-1)
NOCTIS_VOLUME_CACHE_MB = env.read_int("NOCTIS_VOLUME_CACHE_MB", -1, minimum=-1)
NOCTIS_RECONSTRUCTION_MB = env.read_int("NOCTIS_RECONSTRUCTION_MB", 20_480, minimum=1)
NOCTIS_RECONSTRUCTION_DAYS = env.read_int("NOCTIS_RECONSTRUCTION_DAYS", 7, minimum=1)
NOCTIS_RECONSTRUCTION_JOBS = env.read_int("NOCTIS_RECONSTRUCTION_JOBS", 10, minimum=1)

ALLOWED_HOSTS = env.read_list("NOCTIS_ALLOWED_HOSTS") or (
    [] if NOCTIS_PRODUCTION else ["localhost", "127.0.0.1", "[::1]", NOCTIS_HTTP[0]]
)
if NOCTIS_PRODUCTION and 0 < len(env.read_text("NOCTIS_ADMIN_PASSWORD")) < 12:
    raise ImproperlyConfigured("NOCTIS_ADMIN_PASSWORD must have at least 12 characters.")
CSRF_TRUSTED_ORIGINS = env.read_list("NOCTIS_TRUSTED_ORIGINS")
if NOCTIS_PRODUCTION and (not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS):
    raise ImproperlyConfigured("NOCTIS_ALLOWED_HOSTS must name the hosts of this server.")

# The programs on a desk that a study can be opened in; none hides the menu.
_PROGRAMS = ("weasis", "radiant", "osirix", "horos", "slicer")
NOCTIS_OPEN_IN = env.read_choices("NOCTIS_OPEN_IN", _PROGRAMS)

# --- storage, database, queue ---------------------------------------------
NOCTIS_STORAGE = env.read_storage("NOCTIS_STORAGE", MEDIA_ROOT)
DATABASES = {"default": env.read_database(NOCTIS_HOME)}
NOCTIS_REDIS_URL = env.read_redis("NOCTIS_REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "noctis.cache.ForgivingRedisCache",
        "LOCATION": NOCTIS_REDIS_URL,
        "KEY_PREFIX": "noctis",
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 1},
    }
    if NOCTIS_REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "noctis",
        "OPTIONS": {"MAX_ENTRIES": 5000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "noctis.apps.NoctisAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_vite",
    "csp",
    "accounts",
    "archive",
    "reconstruction",
    "viewer",
    "worklist",
    "dicom_receiver",
    "dicomweb",
    "noctis",
]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.PasswordBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "/"

MIDDLEWARE = [
    "noctis.health.answer_probes",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "noctis.middleware.OneThread",
]
ROOT_URLCONF = "noctis.urls"
WSGI_APPLICATION = "noctis.wsgi.application"
ASGI_APPLICATION = "noctis.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.read_text("NOCTIS_TIME_ZONE", "UTC")
USE_TZ = True

# --- static files: served by the application itself, built by Vite ---------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static" / "collected"
STATICFILES_DIRS = [BASE_DIR / "static" / "build"]
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_USE_STATIC_ROOT = False
SERVESTATIC_AUTOREFRESH = DEBUG
SERVESTATIC_ALLOW_ALL_ORIGINS = False
SERVESTATIC_MAX_AGE = 0 if DEBUG else 3600
SERVESTATIC_ADD_HEADERS_FUNCTION = add_headers
DJANGO_VITE = {
    "default": {
        "dev_mode": False,
        "manifest_path": BASE_DIR / "static" / "build" / "manifest.json",
    }
}
# The front-end is built after the first look at the settings.
SILENCED_SYSTEM_CHECKS = ["staticfiles.W004", "django_vite.W001"]

# --- security ---------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "img-src": [SELF, "blob:", "data:"],
        "media-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"

# With TLS in front (the default in production), cookies and links insist on it.
NOCTIS_HTTPS = env.read_bool("NOCTIS_HTTPS", NOCTIS_PRODUCTION)
if NOCTIS_PRODUCTION and not NOCTIS_HTTPS and not env.is_loopback(NOCTIS_HTTP[0]):
    raise ImproperlyConfigured(
        "NOCTIS_HTTPS must be on in production: patient data may not travel in the clear."
    )
NOCTIS_TRUST_PROXY = env.read_bool("NOCTIS_TRUST_PROXY", False)
NOCTIS_TRUSTED_PROXIES = env.read_list("NOCTIS_TRUSTED_PROXIES") or ["127.0.0.1", "::1"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if NOCTIS_TRUST_PROXY else None
SECURE_SSL_REDIRECT = NOCTIS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if NOCTIS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SESSION_COOKIE_SECURE = NOCTIS_HTTPS
SESSION_COOKIE_NAME = "__Host-noctis-session" if NOCTIS_HTTPS else "noctis-session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 3600 * env.read_int("NOCTIS_SESSION_HOURS", 12, minimum=1)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
# Sessions live in the database: a log-out holds in every process at once, and
# a cache that is down locks nobody out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
CSRF_COOKIE_SECURE = NOCTIS_HTTPS
CSRF_COOKIE_NAME = "__Host-noctis-csrf" if NOCTIS_HTTPS else "noctis-csrf"
CSRF_COOKIE_SAMESITE = "Lax"

# --- bounds of a request: uploads are streamed by their own doors ------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
DATA_UPLOAD_MAX_NUMBER_FILES = 100
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
FILE_UPLOAD_PERMISSIONS = 0o640
# A warning on every picture's page, for screens that nobody may read on.
NOCTIS_NOT_FOR_DIAGNOSIS = env.read_bool("NOCTIS_NOT_FOR_DIAGNOSIS", False)
NOCTIS_METRICS_PUBLIC = env.read_bool("NOCTIS_METRICS_PUBLIC", False)

# --- REST --------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "noctis.authentication.BearerAuthentication",
        "noctis.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "archive.json_bodies.PlainJSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "noctis.openapi.OperationSchema",
    "DEFAULT_THROTTLE_CLASSES": ["noctis.throttling.PersonThrottle"],
    "EXCEPTION_HANDLER": "noctis.rest.answer_problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
# Requests a person a minute, by kind; 0 is without bound.
NOCTIS_RATES = {
    "search": env.read_int("NOCTIS_SEARCHES_A_MINUTE", 600),
    "change": env.read_int("NOCTIS_CHANGES_A_MINUTE", 1200),
    "upload": env.read_int("NOCTIS_PIECES_A_MINUTE", 6000),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Noctis",
    "DESCRIPTION": "The REST interface of Noctis. DICOMweb is described in its own document.",
    "VERSION": NOCTIS_VERSION,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "noctis.openapi.finish",
    ],
}

# --- background work ----------------------------------------------------------
# Jobs are rows; a message only says "look now". Lost or doubled, no harm is done.
CELERY_BROKER_URL = NOCTIS_REDIS_URL or "filesystem://localhost//"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {"visibility_timeout": 3600, "socket_connect_timeout": 0.5, "socket_timeout": 5}
    if NOCTIS_REDIS_URL
    else {
        "data_folder_in": str(QUEUE_ROOT / "messages"),
        "data_folder_out": str(QUEUE_ROOT / "messages"),
        "control_folder": str(QUEUE_ROOT / "control"),
        "store_processed": False,
        "polling_interval": 0.2,
    }
)
# Nothing is forked: a job's process starts clean, and more processes mean more capacity.
CELERY_WORKER_POOL = "solo"
CELERY_WORKER_CONCURRENCY = 1
CELERY_TASK_DEFAULT_QUEUE = "noctis"
# What a worker without `-Q` takes: everything.
CELERY_TASK_QUEUES: dict[str, dict[str, Any]] = {"noctis": {}, "reconstruction": {}, "bulk": {}}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BROKER_CONNECTION_RETRY = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TIMEZONE = "UTC"

# --- logs: no query strings, no data sets, no patient data ---------------------
NOCTIS_LOG_LEVEL = env.read_choice(
    "NOCTIS_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")
)
# pydicom's warnings and pynetdicom's lower levels quote element values.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "noctis.logs.LineFormatter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "file": {
            "class": "noctis.logs.SharedRotatingFileHandler",
            "formatter": "line",
            "path": str(LOG_ROOT / "noctis.log"),
            "max_bytes": env.read_int("NOCTIS_LOG_MB", 20, minimum=1) * 2**20,
            "keep": env.read_int("NOCTIS_LOG_FILES", 10, minimum=1),
        },
    },
    "root": {"handlers": ["console", "file"], "level": NOCTIS_LOG_LEVEL},
    "loggers": {
        "django.db.backends": {"level": "WARNING"},
        "django.server": {"handlers": [], "propagate": True},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "pydicom": {"level": "CRITICAL"},
        "pynetdicom": {"level": "CRITICAL"},
        # They quote addresses with what somebody looks for, and what others answer.
        "dicomweb_client": {"level": "CRITICAL"},
        "urllib3": {"level": "CRITICAL"},
        "PIL": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "uvicorn": {"level": "WARNING"},
        "uvicorn.access": {"level": "CRITICAL"},
    },
}
