"""What we offer to take when we fetch by C-GET: which classes, in which transfer syntaxes.

An association has room for 128 contexts (PS3.8 9.3.2.2). Each class is offered uncompressed, and
once more compressed: the peer takes what it has.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import uid as uids

from dicom_receiver import limits
from dicom_receiver.contexts import STORAGE_CLASSES
from dicom_receiver.remote.dimse_query import PLAIN_SYNTAXES
from dicom_receiver.requestor import Offer

COMPRESSED_SYNTAXES = (
    *(uids.JPEGLosslessSV1, uids.JPEGLSLossless, uids.JPEG2000Lossless, uids.RLELossless),
    *(uids.JPEGBaseline8Bit, uids.JPEGExtended12Bit, uids.JPEGLossless, uids.JPEGLSNearLossless),
    *(uids.JPEG2000, uids.HTJ2KLossless, uids.HTJ2KLosslessRPCL, uids.HTJ2K),
    *(uids.MPEG2MPML, uids.MPEG2MPHL, uids.MPEG4HP41, uids.MPEG4HP41BD, uids.MPEG4HP422D),
    *(uids.HEVCMP51, uids.HEVCM10P51, uids.DeflatedExplicitVRLittleEndian),
)

# Pictures, in the order of how often hospitals have them.
_PICTURES = (
    *(uids.CTImageStorage, uids.MRImageStorage, uids.ComputedRadiographyImageStorage),
    *(uids.DigitalXRayImageStorageForPresentation, uids.SecondaryCaptureImageStorage),
    *(uids.UltrasoundImageStorage, uids.UltrasoundMultiFrameImageStorage),
    *(uids.XRayAngiographicImageStorage, uids.XRayRadiofluoroscopicImageStorage),
    *(uids.DigitalMammographyXRayImageStorageForPresentation, uids.NuclearMedicineImageStorage),
    *(uids.PositronEmissionTomographyImageStorage, uids.BreastTomosynthesisImageStorage),
    *(uids.EnhancedCTImageStorage, uids.EnhancedMRImageStorage, uids.EnhancedXAImageStorage),
    *(uids.EnhancedXRFImageStorage, uids.EnhancedPETImageStorage),
    *(uids.EnhancedMRColorImageStorage, uids.LegacyConvertedEnhancedCTImageStorage),
    *(uids.LegacyConvertedEnhancedMRImageStorage, uids.LegacyConvertedEnhancedPETImageStorage),
    *(uids.DigitalXRayImageStorageForProcessing, uids.XRay3DAngiographicImageStorage),
    *(uids.DigitalMammographyXRayImageStorageForProcessing, uids.XRay3DCraniofacialImageStorage),
    *(uids.DigitalIntraOralXRayImageStorageForPresentation, uids.EnhancedUSVolumeStorage),
    *(uids.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,),
    *(uids.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,),
    *(uids.MultiFrameTrueColorSecondaryCaptureImageStorage,),
    *(uids.VLEndoscopicImageStorage, uids.VLMicroscopicImageStorage),
    *(uids.VLPhotographicImageStorage,),
    *(uids.VLSlideCoordinatesMicroscopicImageStorage, uids.VLWholeSlideMicroscopyImageStorage),
    *(uids.VideoEndoscopicImageStorage, uids.VideoPhotographicImageStorage),
    *(uids.OphthalmicPhotography8BitImageStorage, uids.OphthalmicTomographyImageStorage),
)  # fmt: skip
_OTHERS = (
    *(uids.BasicTextSRStorage, uids.EnhancedSRStorage, uids.ComprehensiveSRStorage),
    *(uids.Comprehensive3DSRStorage, uids.XRayRadiationDoseSRStorage, uids.MammographyCADSRStorage),
    *(uids.KeyObjectSelectionDocumentStorage, uids.GrayscaleSoftcopyPresentationStateStorage),
    *(uids.ColorSoftcopyPresentationStateStorage, uids.BlendingSoftcopyPresentationStateStorage),
    *(uids.EncapsulatedPDFStorage, uids.EncapsulatedCDAStorage, uids.EncapsulatedSTLStorage),
    *(uids.RTImageStorage, uids.RTDoseStorage, uids.RTStructureSetStorage, uids.RTPlanStorage),
    *(uids.RTBeamsTreatmentRecordStorage, uids.SegmentationStorage, uids.RawDataStorage),
    *(uids.SpatialRegistrationStorage, uids.DeformableSpatialRegistrationStorage),
    *(uids.RealWorldValueMappingStorage, uids.MRSpectroscopyStorage),
    *(uids.SurfaceSegmentationStorage,),
    *(uids.TwelveLeadECGWaveformStorage, uids.GeneralECGWaveformStorage),
    *(uids.AmbulatoryECGWaveformStorage, uids.HemodynamicWaveformStorage),
    *(uids.MultiFrameSingleBitSecondaryCaptureImageStorage,),
)  # fmt: skip


def offer_storage(known: Sequence[str], room: int, *, is_compressed: bool) -> list[Offer]:
    """Return contexts for these classes, or the usual ones when none is known, at most `room`.

    Of a context with many syntaxes a peer accepts one, and decompresses what it has in another
    one. So the syntaxes of known classes stand in contexts of their own, as far as there is room.
    """
    classes = [uid for uid in dict.fromkeys(known) if uid in STORAGE_CLASSES]
    is_known = bool(classes)
    classes = classes or [str(uid) for uid in (*_PICTURES, *_OTHERS)]
    offers = [Offer(uid, PLAIN_SYNTAXES, as_scp=True) for uid in classes]
    if is_compressed and is_known:
        offers += [
            Offer(uid, (syntax,), as_scp=True) for syntax in COMPRESSED_SYNTAXES for uid in classes
        ]
    elif is_compressed:
        offers += [Offer(str(uid), COMPRESSED_SYNTAXES, as_scp=True) for uid in _PICTURES]
    return offers[: min(room, limits.PRESENTATION_CONTEXTS)]
