"""Every reason that a passport may give, by its code, for the catalogues of the pages.

The interface speaks English; pages say the same in the reader's language. A test holds this
table to the rooms' own words.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

WORDS = {
    # Of space (imaging.shape)
    "empty": _("The series has no images."),
    "no_geometry": _("No image says where it lies in the patient."),
    "images_without_geometry": _("Some images do not say where they lie."),
    "several_orientations": _("The images have several orientations."),
    "other_orientations": _("A few images of another orientation are not part of the volume."),
    "localizers": _("Localizers are not part of the volume."),
    "only_localizers": _("All images are localizers."),
    "too_few_slices": _("There are fewer than three slices."),
    "positions_wander": _("The slices do not lie on one line."),
    "sizes_differ": _("The images have different numbers of rows or columns."),
    "spacings_differ": _("The images have different pixel spacings."),
    "no_pixel_spacing": _("The images have no pixel spacing."),
    "frames_of_reference_differ": _("The images have different frames of reference."),
    "other_frames_of_reference": _(
        "A few images of another frame of reference are not part of the volume."
    ),
    "lateralities_differ": _("The images show different sides."),
    "missing_slices": _("Slices are missing between the others."),
    "mostly_missing": _("More slices are missing than are there."),
    "incomplete_time_points": _("Some time points lack slices."),
    "duplicates": _("Several images lie at one position and nothing tells them apart."),
    "identical_images": _("Some images are there twice: at the same place, with the same pixels."),
    "spacing_changes": _("The distance between the slices changes."),
    "uneven": _("The slices are unevenly spaced."),
    "tilted": _("The gantry was tilted: the slices are shifted against each other."),
    "time_points": _("The series has several images at each position (time points or kinds)."),
    "time_points_by_number": _("Only numbers or times of the images tell the time points apart."),
    "numbers_unclear": _(
        "Numbers that decide millimetres are not written as the standard wants them, "
        "with a decimal comma for instance."
    ),
    # Of CT values (imaging.hounsfield)
    "not_ct": _("These are no CT images."),
    "no_pixels": _("There are no pixels."),
    "localizer": _("A localizer does not measure Hounsfield units."),
    "projection": _("A projection through slices does not hold Hounsfield units."),
    "material": _("The values speak of a material, not of Hounsfield units."),
    "other_units": _("The file says that its values are not Hounsfield units."),
    "rescale_missing": _("Rescale slope and intercept are missing."),
    "rescale_implausible": _("The rescale slope is not above 0, or not a number."),
    "pixels_unread": _("No pixels could be read: judged by the rescale alone."),
    "too_few_pixels": _("The picture is too small to judge by: judged by the rescale alone."),
    "air_and_tissue": _("Air and soft tissue lie where they belong."),
    "air_alone": _("Air lies where it belongs; there is little else in the picture."),
    "no_air": _("There is no air in the picture: judged by soft tissue."),
    "phantom": _("A phantom: its materials are not those of a body, so they prove nothing."),
    "air_elsewhere": _("Air and soft tissue are both shifted: the intercept is wrong."),
    "air_misplaced": _("Air does not lie where it belongs: the intercept is wrong."),
    "no_tissue": _("Air lies where it belongs, soft tissue does not: the slope is wrong."),
    "neither": _("Neither air nor soft tissue lies where it belongs."),
    # Of PET values (imaging.suv)
    "not_pet": _("These are no PET images."),
    "no_header": _("The file could not be read."),
    "factor_ready": _("Activity, weight, dose and times are all known."),
    "in_suv_already": _("The values are standardised uptake values already."),
    "unknown_units": _("The units of the values are not known or not usable."),
    "no_philips_factor": _("The values are counts and the factor to activity is missing."),
    "not_attenuation_corrected": _("The images are not corrected for attenuation."),
    "attenuation_unknown": _("The file does not say whether it is corrected for attenuation."),
    "not_decay_corrected": _("The images are not corrected for decay."),
    "other_suv_type": _("The values are relative to something that is not known here."),
    "no_weight": _("The patient's weight is missing."),
    "implausible_weight": _("The patient's weight cannot be in kilograms."),
    "no_size": _("The patient's height is missing."),
    "implausible_size": _("The patient's height cannot be in metres."),
    "no_sex": _("Lean body mass asks for the patient's sex, male or female."),
    "no_lean_mass": _("The formula gives no lean body mass for this weight and height."),
    "implausible_dose": _("The injected dose cannot be in becquerels."),
    "no_dose": _("The injected dose is missing."),
    "no_half_life": _("The tracer's half-life is missing."),
    "no_injection_time": _("The time of injection is missing."),
    "no_scan_time": _("The time of the scan is missing."),
    "bad_times": _("The injection is later than the scan, or very long before it."),
    "several_tracers": _("Several tracers are named; which one the values show is not known."),
    # Of text (imaging.text_flags, imaging.text_verdict)
    "text_replaced": _("Bytes that mean nothing in the declared character set."),
    "text_controls": _("Control or reordering characters were left out."),
    "text_cut": _("Text is longer than the standard allows and was cut."),
    "charset_missing": _("Text beyond ASCII without a declared character set."),
    "charset_wrong": _("Text is in another character set than declared."),
    "charset_suspect": _("Text may be in another character set than declared."),
    "charset_undeclared": _(
        "A character set is used without its declaration or its escape sequence."
    ),
    "charset_unknown": _("The declared character set is unknown."),
    "charset_misused": _("Character sets are declared that may not stand so."),
    "charset_misspelt": _("The name of the character set is misspelt."),
    "bad_charset": _("Text was not in the declared character set."),
    "bad_date": _("A date is not written as the standard wants it."),
    "bad_time": _("A time is not written as the standard wants it."),
    "bad_age": _("An age is not written as the standard wants it."),
    "bad_number": _("A number is not written as the standard wants it."),
    "long_value": _("A value is longer than any text or number can be; it was not read."),
    # Of frames tried (archive.passport_pixels)
    "same_value": _("All pixels have the same value."),
    "more_bits": _("Some values need more bits than the file says are stored."),
    "sizes_contradict": _("The picture has another size than the file says."),
    "not_displayable": _("What this series holds cannot be shown as a picture."),
    "no_order": _("The images cannot be put in order."),
    "file_missing": _("The stored file is missing."),
    "file_damaged": _("The file is damaged."),
    "unsupported": _("This kind of pixels cannot be shown."),
    "video_differs": _("The video is not what the file declares; what is in it is shown."),
    "undecodable": _("The pixels cannot be decoded as the file describes them."),
}


def say_reasons(codes: Sequence[str], reasons: Sequence[str]) -> list[str]:
    """Return reasons in the language of this request; unknown ones as they were kept."""
    return [
        gettext(WORDS[code]) if code in WORDS else reason
        for code, reason in zip(codes, reasons, strict=False)
    ]
