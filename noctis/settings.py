"""Django settings, all from the environment; `docs/settings.md` lists them."""

from __future__ import annotations

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from noctis import env
from noctis.secret import read_secret_key

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
NOCTIS_RECEIVER_PROCESSES = env.read_int("NOCTIS_RECEIVER_PROCESSES", 2, minimum=1)
NOCTIS_MAX_ASSOCIATIONS = env.read_int("NOCTIS_MAX_ASSOCIATIONS", 128, minimum=1)
NOCTIS_WEB_PROCESSES = env.read_int("NOCTIS_WEB_PROCESSES", 1, minimum=1)
NOCTIS_WORKER_PROCESSES = env.read_int("NOCTIS_WORKER_PROCESSES", 1, minimum=1)
NOCTIS_DISK_RESERVE_MB = env.read_int("NOCTIS_DISK_RESERVE_MB", -1, minimum=-1)

ALLOWED_HOSTS = env.read_list("NOCTIS_ALLOWED_HOSTS") or (
    [] if NOCTIS_PRODUCTION else ["localhost", "127.0.0.1", "[::1]", NOCTIS_HTTP[0]]
)
CSRF_TRUSTED_ORIGINS = env.read_list("NOCTIS_TRUSTED_ORIGINS")
if NOCTIS_PRODUCTION and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("NOCTIS_ALLOWED_HOSTS must name the hosts of this server.")

# --- storage, database, queue ---------------------------------------------
NOCTIS_STORAGE = env.read_text("NOCTIS_STORAGE", f"file:{MEDIA_ROOT}")
DATABASES = {"default": env.read_database(NOCTIS_HOME)}
NOCTIS_REDIS_URL = env.read_text("NOCTIS_REDIS_URL")
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
TIME_ZONE = env.read_text("NOCTIS_TIME_ZONE", "UTC")
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static" / "collected"
STATICFILES_DIRS = [BASE_DIR / "static" / "build"]
