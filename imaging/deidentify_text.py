"""What text may stay when an object is de-identified: by attribute, by code scheme, by word."""

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Text of these attributes describes equipment, technique and coding, never a person. Whatever
# text is in none of these and not in table E.1-1 is left out: unknown is not harmless.
TECHNICAL_TEXT = _names(
    """
    CodeMeaning CodeValue CodingSchemeDesignator CodingSchemeVersion LongCodeValue
    ContrastBolusIngredient ConvolutionKernel DimensionDescriptionLabel FilterType
    FrameOfReferenceDescription GridID ImplementationVersionName LossyImageCompressionMethod
    LUTExplanation Manufacturer ManufacturerModelName ModalityLUTType OverlayLabel
    PixelSpacingCalibrationDescription PositionReferenceIndicator RadiopharmaceuticalRoute
    RescaleType SegmentAlgorithmName SegmentLabel SequenceName SoftwareVersions
    TransducerData TransformLabel TypeOfFilters Units WindowCenterWidthExplanation
    AlgorithmName AlgorithmVersion CollimatorGridName ExposureControlModeDescription
    FilterMaterial ImagedNucleus PulseSequenceName ReceiveCoilManufacturerName ReconstructionMethod
    ScatterCorrectionMethod AttenuationCorrectionMethod DecayCorrection TransmitCoilName
    ReceiveCoilName EchoTrainLengthDescription DerivationImplementation StackID LabelStyleSelection
    CodingSchemeName CodingSchemeUID MeasurementUnitsCode VariableFlipAngleFlagDescription
    """
)
# Descriptions that are cleaned word by word on demand (PS3.15 E.3.5); otherwise removed.
DESCRIPTIONS = _names(
    """
    AcquisitionProtocolDescription DerivationDescription PerformedProcedureStepDescription
    ProtocolName RequestedProcedureDescription ScheduledProcedureStepDescription
    SeriesDescription StudyDescription ContrastBolusAgent
    """
)
# Facts of the patient that do not name one (PS3.15 E.3.7), kept on demand.
CHARACTERISTICS = _names(
    """
    EthnicGroupCodeSequence PatientAge PatientSex PatientSexNeutered
    PatientSize PatientWeight PregnancyStatus SmokingStatus
    """
)
# Bulk data that cannot hold a picture of a name or text (other bulk data are left out).
HARMLESS_BULK = _names(
    """
    BluePaletteColorLookupTableData GreenPaletteColorLookupTableData
    RedPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData
    SegmentedGreenPaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData
    LUTData ICCProfile VectorGridData SegmentedAlphaPaletteColorLookupTableData
    AlphaPaletteColorLookupTableData FloatPixelData DoubleFloatPixelData PixelData
    ExtendedOffsetTable ExtendedOffsetTableLengths
    """
)
# Code schemes whose meanings are published; those of sites (99…, L) may hold anything.
PUBLIC_SCHEMES = _names(
    "DCM SCT SRT SNM3 UCUM FMA LN RADLEX ICD10 I10 I9 NCIt UMLS MDC NEU BARI SCPECG "
    "ISO639_1 ISO639_2 ISO3166_1 RFC3066 RO CD8 UNS PUBCHEM_CID"
)

_WORDS = _names(
    """
    a abd abdomen abdominal ac acl adc adrenal af after air all ankle ap apical aorta aortic arch
    arm arterial artery asl ax axial axi b b0 b1000 b50 b500 b70 b800 base before bh bilateral
    biliary bladder blade body bold bolus bone bony bowel brain breast breath bronchus brust c c1
    c7 calf calvarium cardiac care carotid cc ceca cerebral cervical chest chol cine clavicle cm
    collar colon contrast coned cor coronal coronary cor correction cr cranial cta ct cta cube cva
    ct ctac cv d delay delayed dental derived diff diffusion dimension dixon dose dorsal dsa dti
    dual dwi dx dynamic echo elbow ecg early ecd enhanced enterography ep epi equilibrium esophagus
    exam ex exp expiration extremity face fast fat fb femur fetal fibula fiesta film finger first
    flair flash flip fluoro fmri foot forearm forward fov fq frontal fs fse full gad gated ge
    gre hand haste hd head heart helical hepatic high hip hr hrct hu humerus hypophysis i iac ii iii
    image images in inspiration inner intestine inversion iodine ip ir iso iv joint jaw k kernel
    kidney kidneys kne knee kv l l1 l5 larynx lat late lateral left leg level lf lft lhip lower
    localiser localizer loc low lumbar lung lungs lv m magnitude mammogram mammography mandible map
    max maxilla maxillofacial mean medial mediastinum mg min minip mip ml mlo mm mono motion mpr
    mprage mr mra mrcp mri ms multi mv myocardium nasal native nc neck neutral no non none normal
    nm o ob obl oblique one op open opposed or orbit orbits ot oral outer p pa pancreas parotid
    part pc pd pdw pelvis perf perfusion pet phase pituitary plain plane planar plus portal post
    posterior pre prone prostate protocol proton pulmonary px qc r radius raw rea recon
    reconstruction reformat renal repeat rest rf ribs right rm rotation routine rt run rv s s1 sa
    sag sagittal scan scano scapula scout screening se sec sella sequence series shoulder sinus
    sinuses skull slab slice small soft spine spin spiral spleen spo2 spgr ssfse standard std
    stereo sternum stir stomach stress subtraction sub supine surview survey swi t t1 t1w t12 t2
    t2w t2star tangential te temporal test tfe thick thigh thin third thoracic thorax throat thyroid
    tibia time tir tissue toe tof tomo tomosynthesis topogram tr trace trachea tra trans transverse
    tse two tumor tumour ulna ultrasound unenhanced upper uptake urinary uro us uterus valve vein
    venous ventricle vertebra vibe view views vol volume w water wb weighted whole window with
    without wo wrist x xa xr y z
    """
)
_WORD = re.compile(r"[^\W_]+", re.ASCII)
_SHORT_NUMBER = re.compile(r"\d{1,3}", re.ASCII)


def clean_description(text: str) -> str:
    """Return the words of a description that are imaging terms or short numbers, in order."""
    kept = [
        word
        for word in _WORD.findall(text)
        if word.lower() in _WORDS or _SHORT_NUMBER.fullmatch(word)
    ]
    return " ".join(kept)[:64]


def is_public_code(scheme: str) -> bool:
    """Whether a code scheme is published, so that its meanings can hold nothing of a patient."""
    return scheme.strip() in PUBLIC_SCHEMES
